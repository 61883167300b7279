"""What both checks need of a Synapse: people, rooms, events, all through its API."""

import hashlib
import hmac
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request


def quote(text):
    return urllib.parse.quote(text, safe="")


class Refused(RuntimeError):
    """The server has answered that it will not."""


class Server:
    def __init__(self, address):
        self.address = address

    def ask(self, method, path, token=None, body=None):
        """An answer as JSON; asked again while the server is away, as clients do."""
        for _ in range(240):
            request = urllib.request.Request(self.address + path, method=method)
            request.add_header("Content-Type", "application/json")
            if token:
                request.add_header("Authorization", "Bearer " + token)
            data = None if body is None else json.dumps(body).encode()
            try:
                with urllib.request.urlopen(request, data, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise Refused(f"{method} {path}: {error.code} {error.read()[:300]}") from error
            except OSError:
                pass
            time.sleep(0.5)
        raise RuntimeError(f"{method} {path}: no answer")

    def register(self, name, admin=False):
        nonce = self.ask("GET", "/_synapse/admin/v1/register")["nonce"]
        parts = [nonce.encode(), name.encode(), b"password", b"admin" if admin else b"notadmin"]
        mac = hmac.new(b"of-a-test", b"\0".join(parts), hashlib.sha1).hexdigest()
        body = dict(nonce=nonce, username=name, password="password", admin=admin, mac=mac)
        return self.ask("POST", "/_synapse/admin/v1/register", body=body)["access_token"]

    def make_room(self, name, token, members):
        body = dict(preset="public_chat", name=name, room_alias_name=name.replace(" ", "-"))
        room = self.ask("POST", "/_matrix/client/v3/createRoom", token, body)["room_id"]
        for member in members:
            self.ask("POST", f"/_matrix/client/v3/join/{quote(room)}", member, {})
        return room

    def send(self, token, room, kind, content):
        path = f"/_matrix/client/v3/rooms/{quote(room)}/send/{kind}/{time.time_ns()}.{random.random()}"
        return self.ask("PUT", path, token, content)["event_id"]

    def say(self, token, room, body):
        return self.send(token, room, "m.room.message", {"msgtype": "m.text", "body": body})

    def redact(self, token, room, event):
        path = f"/_matrix/client/v3/rooms/{quote(room)}/redact/{quote(event)}/{time.time_ns()}"
        return self.ask("PUT", path, token, {"reason": "so"})["event_id"]

    def set_topic(self, token, room, topic):
        path = f"/_matrix/client/v3/rooms/{quote(room)}/state/m.room.topic"
        return self.ask("PUT", path, token, {"topic": topic})["event_id"]

"""check.py SERVER PROGRAM DATABASE ARCHIVE SECONDS: talks to a Synapse while exports run, then compares.

Afterwards: every event that clients were given an id for has its line, once; a second archive, made in one export, has the same lines;
what clients are served of each room is in its lines, and what is served with content has that content; `verify --server` finds nothing
missing; transcripts of both archives are alike.
"""

import collections
import hashlib
import hmac
import json
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

server, program, database, archive, seconds = sys.argv[1:6]
quote = lambda text: urllib.parse.quote(text, safe="")
sent, lock, stop = {}, threading.Lock(), threading.Event()


def ask(method, path, token=None, body=None):
    """An answer as JSON; asked again while the server is away, as clients do."""
    for attempt in range(120):
        request = urllib.request.Request(server + path, method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", "Bearer " + token)
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:300]}") from error
        except OSError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"{method} {path}: no answer")


def register(name, admin=False):
    nonce = ask("GET", "/_synapse/admin/v1/register")["nonce"]
    parts = [nonce.encode(), name.encode(), b"password", b"admin" if admin else b"notadmin"]
    mac = hmac.new(b"of-a-test", b"\0".join(parts), hashlib.sha1).hexdigest()
    body = dict(nonce=nonce, username=name, password="password", admin=admin, mac=mac)
    return ask("POST", "/_synapse/admin/v1/register", body=body)["access_token"]


def put(token, room, kind, content):
    path = f"/_matrix/client/v3/rooms/{quote(room)}/send/{kind}/{time.time_ns()}.{random.random()}"
    event = ask("PUT", path, token, content)["event_id"]
    with lock:
        sent[event] = room
    return event


def talk(who, token, rooms):
    mine = []
    for count in range(10**9):
        if stop.is_set():
            return
        room = random.choice(rooms)
        event = put(token, room, "m.room.message", {"msgtype": "m.text", "body": f"{who} {count} " + "x" * random.randrange(3000)})
        mine.append((room, event))
        then, earlier = random.choice(mine)
        choice = random.randrange(12)
        if choice == 0:
            put(token, then, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": earlier, "key": f"{count}"}})
        elif choice == 1:
            new = {"msgtype": "m.text", "body": f"{who} edited {count}"}
            relation = {"rel_type": "m.replace", "event_id": earlier}
            put(token, then, "m.room.message", {**new, "m.new_content": new, "m.relates_to": relation})
        elif choice == 2:
            path = f"/_matrix/client/v3/rooms/{quote(then)}/redact/{quote(earlier)}/{time.time_ns()}"
            redaction = ask("PUT", path, token, {"reason": "so"})["event_id"]
            with lock:
                sent[redaction] = then
        elif choice == 3:
            path = f"/_matrix/client/v3/rooms/{quote(room)}/state/m.room.topic"
            try:
                topic = ask("PUT", path, token, {"topic": f"{who} {count}"})["event_id"]
            except RuntimeError:
                continue  # who did not make the room may not
            with lock:
                sent[topic] = room


def export(into):
    ended = subprocess.run([program, "export", "--database", database, "--archive", into], capture_output=True, text=True)
    assert ended.returncode == 0, f"export ended with {ended.returncode}: {ended.stderr}"


def lines(of):
    counted, found = collections.Counter(), {}
    for path in sorted(pathlib.Path(of).glob("rooms/*/*.jsonl")):
        for text in path.read_text().split("\n")[:-1]:
            event = json.loads(text)
            counted[event["event_id"]] += 1
            found[event["event_id"]] = event
    twice = [event for event, count in counted.items() if count > 1]
    assert not twice, f"more than one line: {twice[:5]}"
    return found


people = {f"user{n}": register(f"user{n}") for n in range(4)}
admin = register("admin", admin=True)
rooms, doomed = [], []
for n in range(4):
    body = dict(preset="public_chat", name=f"room {n}", room_alias_name=f"room{n}")
    room = ask("POST", "/_matrix/client/v3/createRoom", people["user0"], body)["room_id"]
    (doomed if n == 3 else rooms).append(room)
    for token in [*people.values(), admin]:
        ask("POST", f"/_matrix/client/v3/join/{quote(room)}", token, {})
threads = [threading.Thread(target=talk, args=(who, token, rooms + doomed)) for who, token in people.items()]
for thread in threads:
    thread.start()
pathlib.Path(archive).with_name("talking").touch()
end, exports = time.time() + float(seconds), 0
while time.time() < end:
    export(archive)
    exports += 1
    time.sleep(0.2)
stop.set()
for thread in threads:
    thread.join()
export(archive)

# in one export, as long as all is there
export(archive + "-at-once")
step_by_step, at_once = lines(archive), lines(archive + "-at-once")
assert set(sent) <= set(step_by_step), f"sent and not archived: {sorted(set(sent) - set(step_by_step))[:5]}"
assert set(step_by_step) == set(at_once), f"not in both: {sorted(set(step_by_step) ^ set(at_once))[:5]}"
for event, line in at_once.items():
    mine, its = ({key: value for key, value in it.items() if key != "unsigned"} for it in (step_by_step[event], line))
    assert mine == its, f"{event} is not the same in both"
views = [
    {path.relative_to(of): path.read_bytes() for path in pathlib.Path(of).glob("rooms/*/*.md")} for of in (archive, archive + "-at-once")
]
assert views[0] and views[0] == views[1], "transcripts differ"

# what clients are served
served = with_content = 0
for room in rooms + doomed:
    since = ""
    while True:
        page = ask("GET", f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=100{since}", admin)
        for event in page["chunk"]:
            served += 1
            line = step_by_step.get(event["event_id"])
            assert line, f"served and not archived: {event['event_id']}"
            assert (line["room_id"], line["type"], line["sender"]) == (room, event["type"], event["sender"])
            assert line["origin_server_ts"] == event["origin_server_ts"]
            if "redacted_because" not in event.get("unsigned", {}):
                with_content += 1
                content = dict(event["content"])
                if "redacts" in line and content.get("redacts") == line["redacts"]:
                    # in rooms before version 11 it stands beside the content, and is served there too
                    content.pop("redacts", None)
                assert line["content"] == content, f"{event['event_id']} of type {event['type']} says something else"
        if not page["chunk"] or "end" not in page:
            break
        since = "&from=" + quote(page["end"])

verified = subprocess.run(
    [program, "verify", "--server", "--database", database, "--archive", archive], capture_output=True, text=True
)
assert verified.returncode == 0, verified.stdout + verified.stderr

# a purge and a deleted room take nothing from the archive
ask("POST", f"/_synapse/admin/v1/purge_history/{quote(rooms[0])}", admin, {"delete_local_events": True, "purge_up_to_ts": int(time.time() * 1000)})
ask("DELETE", f"/_synapse/admin/v2/rooms/{quote(doomed[0])}", admin, {"purge": True})
for _ in range(3):
    time.sleep(2)
    export(archive)
assert set(step_by_step) <= set(lines(archive)), "the archive has lost what the server has forgotten"
print(f"{len(sent)} events sent, {len(step_by_step)} archived once in {exports} exports, {served} served by the API, {with_content} of them with content")

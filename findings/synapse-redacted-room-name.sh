#!/bin/sh
# Synapse: a room's name that was redacted stays its name in the tables and answers that tell what rooms are called.
#
# Expected: the name's event is pruned for everybody, `GET /state/m.room.name` answers {}; so the tables made from the room's state
#   follow, at the latest with the room's next change of state.
# Happens: `room_stats_state.name` and `sliding_sync_joined_rooms.room_name` keep the redacted name, also after the room's topic is changed
#   and Synapse is restarted: a redaction changes no state, and only a new m.room.name is looked at. The admin API's list of rooms and the
#   space hierarchy answer with it.
# Versions: Synapse 1.163.2 (matrix-synapse, from PyPI) with SQLite; with PostgreSQL 15 the same was seen, there without the restart.
# Why it matters: `room_stats_state` is the cheapest list of rooms and names that the database has. Who archives and takes names from there
#   shows, in indexes, paths and reports, what a moderator took away. Take the name from the state event, as it is after redactions.
set -eu
folder=$(mktemp -d)
trap 'kill "$(cat "$folder/pid")" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matrix-synapse==1.163.2
cd "$folder"
export PORT="$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
cat >homeserver.yaml <<YAML
server_name: here.test
report_stats: false
signing_key_path: $folder/signing.key
media_store_path: $folder/media
registration_shared_secret: only-for-this
macaroon_secret_key: only-for-this
trusted_key_servers: []
listeners: [{port: $PORT, bind_addresses: [127.0.0.1], type: http, resources: [{names: [client]}]}]
database: {name: sqlite3, args: {database: $folder/homeserver.db}}
YAML
"$folder/venv/bin/python" -m synapse.app.homeserver -c homeserver.yaml --generate-keys >generate.log 2>&1
start() {
    "$folder/venv/bin/python" -m synapse.app.homeserver -c homeserver.yaml >>synapse.log 2>&1 &
    echo $! >pid
}
cat >steps.py <<'PYTHON'
import hashlib, hmac, json, os, sqlite3, sys, time, urllib.error, urllib.parse, urllib.request

HERE, V3, ADMIN = f"http://127.0.0.1:{os.environ['PORT']}", "/_matrix/client/v3", "/_synapse/admin/v1"
quote = lambda text: urllib.parse.quote(text, safe="")


def call(method, path, body=None, token=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return json.load(urllib.request.urlopen(urllib.request.Request(HERE + path, data, headers, method=method), timeout=60))


def wait_for(what, seconds=90):
    end = time.monotonic() + seconds
    while True:
        try:
            if found := what():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        if time.monotonic() > end:
            sys.exit("nothing came of it in time")
        time.sleep(0.3)


def tables(room):
    database = sqlite3.connect("file:homeserver.db?mode=ro", uri=True, timeout=30)
    one = lambda sql: (database.execute(sql, (room,)).fetchone() or (None,))
    found = *one("select name, topic from room_stats_state where room_id = ?"), *one("select room_name from sliding_sync_joined_rooms where room_id = ?")
    database.close()
    return found


wait_for(lambda: call("GET", "/_matrix/client/versions"))
if sys.argv[1] == "first":
    nonce = call("GET", f"{ADMIN}/register")["nonce"]
    mac = hmac.new(b"only-for-this", f"{nonce}\0alice\0pw\0admin".encode(), hashlib.sha1).hexdigest()
    token = call("POST", f"{ADMIN}/register", dict(nonce=nonce, username="alice", password="pw", admin=True, mac=mac))["access_token"]
    room = call("POST", f"{V3}/createRoom", {"name": "before", "preset": "public_chat"}, token)["room_id"]
    bad = call("PUT", f"{V3}/rooms/{quote(room)}/state/m.room.name/", {"name": "taken away"}, token)["event_id"]
    wait_for(lambda: tables(room)[0] == "taken away")
    call("PUT", f"{V3}/rooms/{quote(room)}/redact/{quote(bad)}/1", {}, token)
    call("PUT", f"{V3}/rooms/{quote(room)}/state/m.room.topic/", {"topic": "new"}, token)
    wait_for(lambda: tables(room)[1] == "new")
    json.dump([token, room], open("made.json", "w"))
else:
    token, room = json.load(open("made.json"))
found = {
    "Synapse": call("GET", f"{ADMIN}/server_version", token=token)["server_version"],
    "state event": call("GET", f"{V3}/rooms/{quote(room)}/state/m.room.name/", token=token),
    "room_stats_state": tables(room)[0],
    "sliding_sync_joined_rooms": tables(room)[2],
    "admin API": [each["name"] for each in call("GET", f"{ADMIN}/rooms", token=token)["rooms"]],
    "hierarchy": call("GET", f"/_matrix/client/v1/rooms/{quote(room)}/hierarchy", token=token)["rooms"][0].get("name"),
}
print(sys.argv[1], json.dumps(found, indent=1))
name = "taken away"
sys.exit(list(found.values())[1:] != [{}, name, name, [name], name])
PYTHON
start
"$folder/venv/bin/python" steps.py first
kill "$(cat pid)" && wait "$(cat pid)" || true
start
"$folder/venv/bin/python" steps.py restarted

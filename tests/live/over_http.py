"""over_http.py SERVER PROGRAM DATABASE ARCHIVE SECONDS: how many events a second are had over HTTP, and how many by an export.

Eight people talk in one room for so long. Then all of its events are asked for, a thousand at a time, which is the most that Synapse gives:
by a member through the client API, by an admin through the admin API; and exported, each twice, of which the second counts, so that all
have what Synapse and PostgreSQL keep in memory.
"""

import pathlib
import shutil
import subprocess
import sys
import threading
import time

from server import Server, quote

address, program, database, archive, seconds = sys.argv[1:6]
server = Server(address)
admin = server.register("admin", admin=True)
people = [server.register(f"speaker{n}") for n in range(8)]
room = server.make_room("loud", people[0], people[1:])
ends = time.time() + float(seconds)


def talk(token):
    count = 0
    while time.time() < ends:
        count += 1
        server.say(token, room, f"{count} of many things that are said in a room, as long as people's messages are, more or less")


threads = [threading.Thread(target=talk, args=(token,)) for token in people]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()


def paged(path, token):
    after, count = "", 0
    while True:
        page = server.ask("GET", f"{path}?dir=b&limit=1000{after}", token)
        count += len(page["chunk"])
        if not page["chunk"] or "end" not in page:
            return count
        after = "&from=" + quote(page["end"])


def exported():
    shutil.rmtree(archive, ignore_errors=True)
    command = [program, "export", "--quiet", "--no-markdown", "--database", database, "--archive", archive]
    subprocess.run(command, check=True)
    return sum(file.read_bytes().count(b"\n") for file in pathlib.Path(archive).glob("rooms/*/*.jsonl"))


ways = {
    "client API": lambda: paged(f"/_matrix/client/v3/rooms/{quote(room)}/messages", people[1]),
    "admin API": lambda: paged(f"/_synapse/admin/v1/rooms/{quote(room)}/messages", admin),
    "export": exported,
}
for way, have in ways.items():
    have()
    begun = time.time()
    count = have()
    took = time.time() - begun
    print(f"{way}: {count} events in {took:.2f} s, {count / took:.0f} a second", flush=True)

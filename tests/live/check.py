"""check.py SERVER PROGRAM DATABASE ARCHIVE SECONDS: people talk to a Synapse while exports run and one follows, then all is compared.

Meanwhile a room's history is purged, a room is deleted, and whoever started this kills and starts Synapse again. Afterwards: every event that
clients were given an id for has its line, once, in the archive that was exported to again and again and in the one that was followed; both have
the same lines, and those of a third, made in one export, but for what the server has forgotten by then; what clients are served of each room is in
the lines, and what is served with content has that content; `verify --server` finds nothing missing; transcripts of rooms whose history is whole
are alike.
"""

import collections
import json
import pathlib
import random
import subprocess
import sys
import threading
import time

from server import Refused, Server, quote

address, program, database, archive, seconds = sys.argv[1:6]
followed, at_once = archive + "-followed", archive + "-at-once"
server = Server(address)
# how many events are sent at the least after the server has begun to forget
ENOUGH = 100
sent, lock, stop, left = {}, threading.Lock(), threading.Event(), threading.Event()


def noted(event, room):
    with lock:
        sent[event] = room
    return event


def talk(who, token, rooms, doomed):
    mine = []
    for count in range(10**9):
        if stop.is_set():
            return
        # in what is to be deleted nobody talks any more once that is said
        room = random.choice(rooms if left.is_set() else [*rooms, doomed])
        try:
            mine.append((room, noted(server.say(token, room, f"{who} {count} " + "x" * random.randrange(3000)), room)))
        except Refused:
            assert room == doomed
            continue
        then, earlier = random.choice(mine)
        if then == doomed and left.is_set():
            continue
        choice = random.randrange(12)
        try:
            if choice == 0:
                relation = {"rel_type": "m.annotation", "event_id": earlier, "key": f"{count}"}
                noted(server.send(token, then, "m.reaction", {"m.relates_to": relation}), then)
            elif choice == 1:
                new = {"msgtype": "m.text", "body": f"{who} edited {count}"}
                relation = {"rel_type": "m.replace", "event_id": earlier}
                noted(server.send(token, then, "m.room.message", {**new, "m.new_content": new, "m.relates_to": relation}), then)
            elif choice == 2:
                noted(server.redact(token, then, earlier), then)
            elif choice == 3:
                noted(server.set_topic(token, room, f"{who} {count}"), room)
        except Refused:
            pass  # a topic, by who did not make the room; or what was purged


def export(into):
    ended = subprocess.run([program, "export", "--database", database, "--archive", into], capture_output=True, text=True)
    assert ended.returncode == 0, f"export ended with {ended.returncode}: {ended.stderr}"


def lines(of):
    counted, found = collections.Counter(), {}
    for path in sorted(pathlib.Path(of).glob("rooms/*/*.jsonl")):
        # the last may be being written
        for text in path.read_bytes().split(b"\n")[:-1]:
            event = json.loads(text)
            counted[event["event_id"]] += 1
            found[event["event_id"]] = event
    twice = [event for event, count in counted.items() if count > 1]
    assert not twice, f"more than one line in {of}: {twice[:5]}"
    return found


def alike(one, other, both):
    for event in both:
        mine, its = ({key: value for key, value in it.items() if key != "unsigned"} for it in (one[event], other[event]))
        # what a purge has left says so
        for line in (mine, its):
            line["synapse"].pop("outlier", None)
        assert mine == its, f"{event} is not the same in both: {mine} {its}"


def wait_until(what, holds, most=180):
    end = time.time() + most
    while not holds():
        assert time.time() < end, f"not within {most} s: {what}"
        time.sleep(0.5)


people = {f"user{n}": server.register(f"user{n}") for n in range(4)}
admin = server.register("admin", admin=True)
*rooms, purged, doomed = (server.make_room(f"room {n}", people["user0"], [*people.values(), admin]) for n in range(6))
threads = [threading.Thread(target=talk, args=(who, token, [*rooms, purged], doomed)) for who, token in people.items()]
for thread in threads:
    thread.start()
said = open(followed + ".log", "w+")
follower = subprocess.Popen(
    [program, "export", "--follow", "--interval", "1s", "--render-every", "5s", "--database", database, "--archive", followed], stderr=said
)
began, exports = time.time(), 0
exporting = threading.Event()


def keep_exporting():
    global exports
    while not exporting.is_set():
        export(archive)
        exports += 1
        time.sleep(0.2)


failed = []


def exporter():
    try:
        keep_exporting()
    except BaseException as error:
        failed.append(error)


loop = threading.Thread(target=exporter)
loop.start()
try:
    pathlib.Path(archive).with_name("talking").touch()
    time.sleep(float(seconds) / 4)
    # a server forgets: first what nobody adds to any more, then what people go on with
    left.set()
    until = int(time.time() * 1000)
    # by then all have their answers
    time.sleep(3)
    before = set(sent)
    both_have = lambda events: all(events <= set(lines(it)) for it in (archive, followed))
    wait_until("what is to be forgotten is archived", lambda: failed or both_have(before))
    assert not failed, failed
    server.ask("POST", f"/_synapse/admin/v1/purge_history/{quote(purged)}", admin, {"delete_local_events": True, "purge_up_to_ts": until})
    server.ask("DELETE", f"/_synapse/admin/v2/rooms/{quote(doomed)}", admin, {"purge": True})
    # also where the machine has much else to do, something is to be said after all that
    most = began + 10 * float(seconds)
    while time.time() < most and not failed and (time.time() < began + float(seconds) or len(sent) < len(before) + ENOUGH):
        time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    wait_until("all that was said is followed", lambda: failed or set(sent) <= set(lines(followed)))
    exporting.set()
    loop.join()
    assert not failed, failed
    # a round more, of what came with the last
    time.sleep(3)
    follower.terminate()
    began = time.time()
    status = follower.wait(60)
    ended_within = time.time() - began
    assert status == 0, f"the follower ended with {status}"
except BaseException:
    said.seek(0)
    sys.stderr.write(said.read())
    raise
finally:
    stop.set()
    exporting.set()
    follower.kill()
export(archive)
export(at_once)

step_by_step, follows, whole = lines(archive), lines(followed), lines(at_once)
for name, of in (("exported", step_by_step), ("followed", follows)):
    assert set(sent) <= set(of), f"sent and not {name}: {sorted(set(sent) - set(of))[:5]}"
# when the room is deleted people are made to leave, in events that are gone as soon as they are there
differ = {event for event in set(step_by_step) ^ set(follows) if (step_by_step | follows)[event]["room_id"] != doomed}
assert not differ, f"not in both: {sorted(differ)[:5]}"
assert set(whole) <= set(step_by_step), f"only at once: {sorted(set(whole) - set(step_by_step))[:5]}"
forgotten = {event for event in step_by_step if event not in whole}
of_rooms = {step_by_step[event]["room_id"] for event in forgotten}
assert of_rooms == {purged, doomed}, f"the server has forgotten of {of_rooms}, and was to of {purged} and {doomed}"
alike(step_by_step, follows, set(step_by_step) & set(follows))
alike(step_by_step, whole, whole)
names = {room: room[1:].replace(":", "@") for room in rooms}
views = [
    {path.relative_to(of): path.read_bytes() for name in names.values() for path in pathlib.Path(of).glob(f"rooms/{name}/*.md")}
    for of in (archive, at_once)
]
assert views[0] and views[0] == views[1], "transcripts differ"

# what clients are served
served = with_content = 0
for room in [*rooms, purged]:
    since = ""
    while True:
        page = server.ask("GET", f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=100{since}", admin)
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

for of in (archive, followed):
    verified = subprocess.run([program, "verify", "--server", "--database", database, "--archive", of], capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr
print(
    f"{len(sent)} events sent, {len(step_by_step)} archived once in {exports} exports, {len(follows)} followed (ended within {ended_within:.1f} s), "
    f"{len(forgotten)} that the server has forgotten, {served} served by the API, {with_content} of them with content"
)

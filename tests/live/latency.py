"""latency.py SERVER PROGRAM DATABASE ARCHIVE SECONDS [RATE [INTERVAL]]: how long an event takes from its commit on the server to the archive.

People send RATE events a second, 50 unless told otherwise, while an export follows. When an event was committed the server says, which
keeps that with `track_commit_timestamp`; when it was durable in the archive is when its catalog shows it, which is written after the lines are on the disk.
Then nobody says anything for five times as long, and what the follower takes meanwhile of a processor is told.
"""

import os
import sqlite3
import subprocess
import sys
import threading
import time

import psycopg2

from server import Server

address, program, database, archive, seconds = sys.argv[1:6]
seconds, rate, interval = float(seconds), float((sys.argv[6:] or [50])[0]), float((sys.argv[7:] or [5])[0])
server, stop = Server(address), threading.Event()
people = [server.register(f"speaker{n}") for n in range(8)]
rooms = [server.make_room(f"loud {n}", people[0], people) for n in range(8)]
follower = subprocess.Popen(
    [program, "export", "--follow", "--interval", f"{interval:g}s", "--database", database, "--archive", archive], stderr=subprocess.DEVNULL
)
seen = {}


def watch():
    catalog, last = None, 0
    while not stop.is_set():
        try:
            catalog = catalog or sqlite3.connect(f"file:{archive}/catalog.sqlite?mode=ro", uri=True)
            found = catalog.execute("select line, event_id from line where line > ? order by line", [last]).fetchall()
        except sqlite3.Error:
            catalog, found = None, []
        now = time.time()
        for last, event in found:
            seen[event] = now
        time.sleep(0.02)


def talk(number, sent):
    # each at a time of its own
    due = time.time() + number / rate
    while not stop.is_set() and time.time() < ends:
        time.sleep(max(0, due - time.time()))
        sent.append(server.say(people[number], rooms[number], "of no consequence"))
        due = max(due + len(people) / rate, time.time() - 1)


def ticks():
    fields = open(f"/proc/{follower.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


watching = threading.Thread(target=watch)
watching.start()
try:
    while not os.path.exists(archive + "/catalog.sqlite"):
        time.sleep(0.1)
    time.sleep(2 * interval)
    ends, lists = time.time() + seconds, [[] for _ in people]
    threads = [threading.Thread(target=talk, args=(n, lists[n])) for n in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = [event for of in lists for event in of]
    time.sleep(3 * interval)
    connection = psycopg2.connect(database.replace("synapse_export", "synapse"))
    cursor = connection.cursor()
    cursor.execute("select event_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 from events where event_id = any(%s)", [sent])
    ages = sorted(seen[event] - committed for event, committed in cursor)
    connection.close()
    assert len(ages) == len(sent), f"{len(ages)} of {len(sent)} are known"
    median, most = ages[len(ages) // 2], ages[len(ages) * 99 // 100]
    print(f"{len(sent) / seconds:.1f} events a second, asked every {interval:g} s: median {median:.2f} s, 99 % within {most:.2f} s, the last {ages[-1]:.2f} s", flush=True)
    # what was young is looked for no more after a minute
    time.sleep(70)
    before, began = ticks(), time.time()
    time.sleep(5 * seconds)
    spent = (ticks() - before) / (time.time() - began)
    print(f"idle for {5 * seconds:g} s: {100 * spent:.3f} % of a core", flush=True)
    begun = time.time()
    follower.terminate()
    status = follower.wait(60)
    print(f"SIGTERM: ended with {status} within {time.time() - begun:.2f} s")
    assert status == 0
    assert median <= interval / 2 + 0.3 and most <= interval + 1, "later than promised"
    assert spent <= 0.001, "more than promised"
finally:
    stop.set()
    follower.kill()

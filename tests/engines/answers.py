#!/usr/bin/env python3
"""Asks a Parquet output and the archive's catalog the same questions, the output by an engine of others, and compares the answers.

usage: answers.py ENGINE OUTPUT CATALOG     ENGINE: duckdb, polars, pyarrow, pandas, chdb, pyspark
"""
import sqlite3
import sys
from collections import Counter

COLUMNS = ["event_id", "room_id", "type", "state_key", "sender", "origin_server_ts_sent", "rel_type", "replies_to", "redacted_by", "edited_by",
           "decrypted", "verdict", "body"]
FLAGS = ["censored", "outlier", "damaged"]
# then the day, and the time as milliseconds


def duckdb(output):
    import duckdb
    connection = duckdb.connect()
    events = f"read_parquet('{output}/events/*/*.parquet', hive_partitioning = true)"
    types = dict(row[:2] for row in connection.execute(f"describe select * from {events}").fetchall())
    assert types["day"] == "DATE", types["day"]
    assert types["origin_server_ts"] == "TIMESTAMP WITH TIME ZONE", types["origin_server_ts"]
    assert types["decrypted"] == types["verdict"] == "VARCHAR", types
    sql = f"select {', '.join(COLUMNS + FLAGS)}, cast(day as text), epoch_ms(origin_server_ts) from {events}"
    rooms = connection.execute(f"select room_id, name from '{output}/rooms/*.parquet'").fetchall()
    return connection.execute(sql).fetchall(), rooms


def polars(output):
    import polars
    events = polars.scan_parquet(f"{output}/events/**/*.parquet", hive_partitioning=True)
    types = events.collect_schema()
    assert types["day"] == polars.Date, types["day"]
    assert types["decrypted"] == types["verdict"] == polars.String, types
    at = polars.col("origin_server_ts").dt.epoch("ms")
    rows = events.select(*COLUMNS, *FLAGS, polars.col("day").cast(polars.String), at).collect().rows()
    return rows, polars.read_parquet(f"{output}/rooms/*.parquet").select("room_id", "name").rows()


def by_day():
    """Without it days are text, and pandas fails on the undated."""
    import pyarrow.dataset
    return pyarrow.dataset.partitioning(pyarrow.schema([("day", pyarrow.date32())]), flavor="hive")


def pyarrow(output):
    import pyarrow.dataset
    events = pyarrow.dataset.dataset(f"{output}/events", format="parquet", partitioning=by_day()).to_table()
    assert all(events.schema.field(name).type == pyarrow.string() for name in ("decrypted", "verdict")), events.schema
    rooms = pyarrow.dataset.dataset(f"{output}/rooms", format="parquet").to_table()
    days = [day and str(day) for day in events["day"].to_pylist()]
    at = events["origin_server_ts"].cast(pyarrow.int64()).to_pylist()
    rows = list(zip(*(events[name].to_pylist() for name in COLUMNS + FLAGS), days, at))
    return rows, list(zip(rooms["room_id"].to_pylist(), rooms["name"].to_pylist()))


def pandas(output):
    import pandas
    frame = pandas.read_parquet(f"{output}/events", columns=[*COLUMNS, *FLAGS, "day", "origin_server_ts"], partitioning=by_day())
    frame = frame.astype(object)
    frame = frame.where(frame.notna(), None)
    rows = [(*row[:-2], row[-2] and str(row[-2]), row[-1] and row[-1].value // 10**6) for row in frame.itertuples(index=False, name=None)]
    rooms = pandas.read_parquet(f"{output}/rooms")
    return rows, list(zip(rooms["room_id"], rooms["name"]))


def chdb(output):
    import json
    import chdb
    ask = lambda sql: [json.loads(line) for line in str(chdb.query(sql, "JSONCompactEachRow")).splitlines()]
    columns = ", ".join(f"toString({name}) as {name}" if name.startswith("origin") else name for name in COLUMNS + FLAGS)
    sql = f"""select {columns}, nullIf(toString(day), '__HIVE_DEFAULT_PARTITION__'), toString(toUnixTimestamp64Milli(origin_server_ts))
                from file('{output}/events/*/*.parquet', Parquet) settings use_hive_partitioning = 1"""
    numbers = [COLUMNS.index("origin_server_ts_sent"), len(COLUMNS + FLAGS) + 1]
    rows = [tuple(int(value) if place in numbers and value is not None else value for place, value in enumerate(row)) for row in ask(sql)]
    return rows, [tuple(row) for row in ask(f"select room_id, name from file('{output}/rooms/*.parquet', Parquet)")]


def pyspark(output):
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    events = spark.read.parquet(f"{output}/events")
    types = dict(events.dtypes)
    assert (types["day"], types["decrypted"], types["verdict"]) == ("date", "string", "string"), types
    rows = [tuple(row) for row in events.selectExpr(*COLUMNS, *FLAGS, "cast(day as string)", "unix_millis(origin_server_ts)").collect()]
    return rows, [tuple(row) for row in spark.read.parquet(f"{output}/rooms").select("room_id", "name").collect()]


def of_output(engine, output):
    events, rooms = globals()[engine](output)
    rows = [dict(zip([*COLUMNS, *FLAGS, "day", "at"], event, strict=True)) for event in events]
    said = [row for row in rows if row["body"] is not None and row["redacted_by"] is None and row["rel_type"] != "m.replace"]
    return {
        "how many events there are": len(rows),
        "of each type": Counter(row["type"] for row in rows),
        "of each room and day": Counter((row["room_id"], row["day"] or "undated") for row in rows),
        "of each sender": Counter(row["sender"] for row in rows),
        "what was said last": {row["event_id"]: row["body"] for row in said if row["type"] == "m.room.message"},
        "how often each reaction was given": Counter(row["body"] for row in said if row["type"] == "m.reaction"),
        "what is redacted by what": {row["event_id"]: row["redacted_by"] for row in rows if row["redacted_by"]},
        "what is edited by what": {row["event_id"]: row["edited_by"] for row in rows if row["edited_by"]
                                   and row["type"] == "m.room.message" and row["rel_type"] != "m.replace"},
        "what answers what": {row["event_id"]: row["replies_to"] for row in rows if row["replies_to"]},
        "when each was sent": {row["event_id"]: row["origin_server_ts_sent"] for row in rows},
        "when each was, as a time": {row["event_id"]: row["at"] for row in rows},
        "what is censored, an outlier, damaged": Counter(tuple(bool(row[flag]) for flag in FLAGS) for row in rows),
        "how many state events there are": sum(row["state_key"] is not None for row in rows),
        "what each room is called": dict(rooms),
    }


def of_catalog(path):
    catalog = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    ask = lambda sql: catalog.execute(sql.replace("EVENT", "event where not rejected and not soft_failed")).fetchall()
    messages = "from message where type = 'm.room.message'"
    return {
        "how many events there are": ask("select count(*) from EVENT")[0][0],
        "of each type": Counter(dict(ask("select type, count(*) from EVENT group by 1"))),
        "of each room and day": Counter({(room, day): n for room, day, n in
                                         ask("select room_id, day, count(*) from EVENT group by 1, 2")}),
        "of each sender": Counter(dict(ask("select sender, count(*) from EVENT group by 1"))),
        "what was said last": dict(ask(f"select event_id, body {messages} and body is not null")),
        "how often each reaction was given": Counter(dict(ask(
            "select body, count(*) from EVENT and type = 'm.reaction' and redacted_by is null and body is not null group by 1"))),
        "what is redacted by what": dict(ask("select event_id, redacted_by from EVENT and redacted_by is not null")),
        "what is edited by what": dict(ask(f"select event_id, edited_by {messages} and edited_by is not null")),
        "what answers what": dict(ask("select event_id, replies_to from EVENT and replies_to is not null")),
        "when each was sent": dict(ask("select event_id, origin_server_ts from EVENT")),
        "when each was, as a time": dict(ask("select event_id, case when day <> 'undated' then origin_server_ts end from EVENT")),
        "what is censored, an outlier, damaged": Counter({tuple(map(bool, flags)): n for *flags, n in ask(
            f"select {', '.join(FLAGS)}, count(*) from EVENT group by {', '.join(FLAGS)}")}),
        "how many state events there are": ask("select count(*) from EVENT and state_key is not null")[0][0],
        "what each room is called": dict(ask("select room_id, name from room where has_lines")),
    }


def main():
    engine, output, catalog = sys.argv[1:]
    found, right = of_output(engine, output), of_catalog(catalog)
    assert found.keys() == right.keys()
    wrong = [question for question in right if found[question] != right[question]]
    for question in wrong:
        print(f"{engine}: {question}: not as the catalog has it", file=sys.stderr)
        if isinstance(right[question], dict):
            items = lambda answers: {(key, repr(value)) for key, value in answers.items()}
            print(sorted(items(found[question]) ^ items(right[question]), key=repr)[:6], file=sys.stderr)
    counts = [len(answer) if isinstance(answer, dict) else answer for answer in right.values()]
    if not all(counts):
        sys.exit(f"a question has no answer, which proves nothing: {dict(zip(right, counts))}")
    if wrong:
        sys.exit(1)
    print(f"{engine} gives the same {len(right)} answers about {right['how many events there are']} events")


main()

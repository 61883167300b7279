#!/usr/bin/env python3
"""Runs a recipe of docs/outputs.md on the lines of an archive, and compares what it says with what Python reads in them.

usage: lines.py ENGINE ARCHIVE     ENGINE: duckdb, polars, chdb, jq
"""
import glob
import json
import re
import subprocess
import sys
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[2] / "docs/outputs.md"


def recipe(engine, archive):
    """The text of its recipe, for this archive."""
    text = RECIPES.read_text().split("## Recipes for the lines", 1)[1]
    title = {"duckdb": "DuckDB", "polars": "Polars", "chdb": "ClickHouse", "jq": "jq"}[engine]
    code = re.search(rf"^{title}.*?```\w+\n(.*?)```", text, re.MULTILINE | re.DOTALL).group(1)
    assert "/srv/archive" in code
    return code.replace("/srv/archive", str(archive))


def duckdb(code):
    import duckdb
    return [(row[0], row[-1]) for row in duckdb.connect().execute(code).fetchall()]


def polars(code):
    names = {}
    exec(code, names)
    return [(row["event_id"], row["body"]) for row in names["messages"].collect().to_dicts()]


def chdb(code):
    import chdb
    rows = [json.loads(line) for line in str(chdb.query(code, "JSONCompactEachRow")).splitlines()]
    return [(row[0], row[-1]) for row in rows]


def jq(code):
    said = subprocess.check_output(["bash", "-c", code], text=True)
    unescape = lambda text: re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}.get(m[1], m[1]), text)
    rows = [line.split("\t") for line in said.splitlines()]
    return [(row[0], unescape(row[-1])) for row in rows]


def main():
    engine, archive = sys.argv[1], Path(sys.argv[2]).resolve()
    right = {}
    for path in glob.glob(glob.escape(str(archive)) + "/rooms/*/*.jsonl"):
        for line in Path(path).read_text().split("\n"):
            event = json.loads(line) if line else {}
            content = event.get("content")
            if event.get("type") == "m.room.message" and isinstance(content, dict) and isinstance(content.get("body"), str):
                right[event["event_id"]] = content["body"]
    # those that are no text are read as others like it
    found = {event_id: body for event_id, body in globals()[engine](recipe(engine, archive)) if event_id in right}
    wrong = {event_id for event_id in right if found.get(event_id) != right[event_id]}
    if len(right) < 10:
        sys.exit("there is little to be read, which proves nothing")
    if wrong:
        sys.exit(f"{engine}: {len(wrong)} of {len(right)} messages are not as Python reads them, such as {sorted(wrong)[:3]}")
    print(f"{engine} reads the same {len(right)} messages in the lines")


main()

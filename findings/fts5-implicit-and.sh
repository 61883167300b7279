#!/bin/sh
# SQLite's FTS5: a blank between two phrases is not the operator AND.
#
# Expected: the documentation calls phrases side by side "implicit AND operators", which only bind tighter; so `deploy "👍"` and
#   `deploy AND "👍"` should find the same rows: both all of `deploy`'s (as a phrase without tokens asks for nothing), or both none.
# Happens: a phrase of which the tokenizer leaves no token (emoji and punctuation with unicode61, two letters with trigram) is *dropped* by
#   the blank and *matches nothing* under AND. So `deploy "👍"` finds every row of `deploy`, `deploy AND "👍"` finds none. In
#   `deploy AND "👍" AND done` it empties the result, in `deploy AND "👍" done` it is gone. OR and NOT take it for a phrase that is in no row
#   (`"👍" NOT deploy` finds none), NEAR and + leave it out. None of this is an error.
# Versions: SQLite 3.54.1 (apsw 3.54.1.0, from PyPI).
# Why it matters: people search a chat archive for a word and an emoji, or for `C ++`. A program that quotes each word, as it should, and
#   joins them by blanks gives rows without the second; one that joins by AND gives none. Neither is an error: leave out of the query what has
#   no token, by the tokenizer's own answer (fts5vocab over a row of it), and look for that in the text.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import apsw

print("SQLite", apsw.sqlite_lib_version())
db = apsw.Connection(":memory:")
db.execute("create virtual table said using fts5(body)")
db.execute("create virtual table parts using fts5(body, tokenize = 'trigram')")
for body in ("deploy done", "deploy done 👍", "roll back", "done 👍"):
    for table in ("said", "parts"):
        db.execute(f"insert into {table} values (?)", (body,))

# the rows are 1 and 2 for `deploy`, 1, 2, 4 for `done`; no row has a token of the thumb
expected = [
    ("said", 'deploy', [1, 2]),
    ("said", 'deploy "👍"', [1, 2]),
    ("said", 'deploy AND "👍"', []),
    ("said", '"👍" deploy', [1, 2]),
    ("said", '"👍" AND deploy', []),
    ("said", 'deploy AND "👍" AND done', []),
    ("said", 'deploy AND "👍" done', [1, 2]),
    ("said", 'deploy OR "👍"', [1, 2]),
    ("said", 'deploy NOT "👍"', [1, 2]),
    ("said", '"👍" NOT deploy', []),
    ("said", 'deploy + "👍" + done', [1, 2]),
    ("said", 'NEAR(deploy "👍" done)', [1, 2]),
    ("said", '"👍"', []),
    ("parts", 'deploy "do"', [1, 2]),
    ("parts", 'deploy AND "do"', []),
]
changed = 0
for table, query, rows in expected:
    found = [row for (row,) in db.execute(f"select rowid from {table}(?) order by rowid", (query,))]
    changed += found != rows
    print(f"{table:5}  {query:28} {found}", "" if found == rows else f"(was {rows})")
sys.exit(1 if changed else 0)
PYTHON

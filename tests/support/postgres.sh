# Runs a PostgreSQL server for as long as standard input stays open, then stops it and removes all it left.
#
#   sh postgres.sh PROGRAMS PARENT      PROGRAMS: the directory of initdb and pg_ctl; PARENT: where to make its own
#
# Once the server answers, prints its directory, which holds its socket too, and its port, as the last line of its
# output; when the server can't start, that says why.
# The kernel closes a process's pipes however the process ends: so a test that is killed leaves no server behind either.
set -eu
exec 2>&1
programs=$1
directory=$(mktemp -d "$2/synapse-export-test.XXXXXX")
leave() {
    if [ -e "$directory/data/postmaster.pid" ]; then
        "$programs/pg_ctl" stop --silent --pgdata "$directory/data" --mode immediate || :
    fi
    rm -rf "$directory"
}
trap leave EXIT
trap 'exit 1' HUP INT TERM
# The test process may be gone by the time there is something to print: that must not keep us from leaving tidily.
trap '' PIPE

"$programs/initdb" --pgdata "$directory/data" --username postgres --auth trust --encoding UTF8 --locale C \
    --no-sync --no-instructions --wal-segsize 1 >"$directory/log"
# Durability is for data that is kept; autovacuum would change plans while a test looks at them.
cat >>"$directory/data/postgresql.conf" <<settings
listen_addresses = '127.0.0.1'
unix_socket_directories = '$directory'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
settings

# Below the ports that systems give to outgoing connections; another server may have it all the same: then the next.
attempts=0
while
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
    ! "$programs/pg_ctl" start --silent --wait --pgdata "$directory/data" --log "$directory/log" --options "-p $port"
do
    attempts=$((attempts + 1))
    if [ "$attempts" -eq 20 ] || ! grep -q 'could not create any TCP/IP sockets' "$directory/log"; then
        cat "$directory/log"
        exit 1
    fi
    : >"$directory/log"
done

echo "$directory $port"
# Whoever reads our output to its end must not wait for the server's end.
exec >/dev/null 2>&1
while read -r _; do :; done

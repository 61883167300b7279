# Runs a PgBouncer in front of a PostgreSQL server for as long as standard input stays open.
#
#   sh pooler.sh DIRECTORY USERLIST DATABASES SETTINGS      prints "port" and its port as the last line once it answers
set -eu
exec 2>&1
directory=$1 users=$2 databases=$3 settings=$4
pooler=''
leave() {
    if [ -n "$pooler" ]; then
        kill -KILL "$pooler" || :
    fi
}
trap leave EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE
mkdir "$directory"
printf '%s\n' "$users" >"$directory/users"

# as in postgres.sh
attempts=0
while
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
    cat >"$directory/pgbouncer.ini" <<configuration
[databases]
$databases
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir = $directory
auth_file = $directory/users
$settings
configuration
    pgbouncer "$directory/pgbouncer.ini" >"$directory/log" 2>&1 </dev/null &
    pooler=$!
    while ! grep -q 'process up' "$directory/log" && kill -0 "$pooler" 2>/dev/null; do
        sleep 0.02
    done
    ! grep -q "listening on 127.0.0.1:$port" "$directory/log"
do
    kill -KILL "$pooler" 2>/dev/null || :
    pooler=''
    attempts=$((attempts + 1))
    if [ "$attempts" -eq 20 ]; then
        cat "$directory/log"
        exit 1
    fi
done
echo "port $port"
exec >/dev/null 2>&1
while read -r _; do :; done

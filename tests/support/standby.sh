# Makes a hot standby and runs it for as long as standard input stays open.
#
#   sh standby.sh PROGRAMS DATA PRIMARY SETTINGS      prints "port" and its port as the last line once it answers
set -eu
exec 2>&1
programs=$1 data=$2 primary=$3 settings=$4
leave() {
    if [ -e "$data/postmaster.pid" ]; then
        "$programs/pg_ctl" stop --silent --pgdata "$data" --mode immediate || :
    fi
}
trap leave EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE
"$programs/pg_basebackup" --pgdata "$data" --write-recovery-conf --checkpoint fast --no-sync --dbname "$primary"
printf '%s\n' "$settings" >>"$data/postgresql.conf"

# As in postgres.sh; the port is a setting, so that a restart keeps it.
attempts=0
while
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
    echo "port = $port" >>"$data/postgresql.conf"
    ! "$programs/pg_ctl" start --silent --wait --pgdata "$data" --log "$data.log"
do
    attempts=$((attempts + 1))
    if [ "$attempts" -eq 20 ] || ! grep -q 'could not create any TCP/IP sockets' "$data.log"; then
        cat "$data.log"
        exit 1
    fi
    : >"$data.log"
done

echo "port $port"
exec >/dev/null 2>&1
while read -r _; do :; done

#!/usr/bin/env bash
# postgres.sh DIR [NAME=VALUE…]: a PostgreSQL server in a folder of its own, for tests and the demo.
#
# It listens on 127.0.0.1, on a free port that it keeps; the settings are those of postgresql.conf.
# Prints HOST:PORT once it answers, and stops the server when its standard input ends, so that the
# end of whoever started it is the end of the server, however it came. DIR may be used again: what was in the
# databases is there then. The user `postgres` needs no password; others need theirs. With server.crt and
# server.key in DIR it speaks TLS.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh

[ $# -gt 0 ] || die "say in which folder"
DIR=$1
shift
PID=

# What a command is run by, because PostgreSQL refuses to run as root.
AS_POSTGRES=(env)
[ "$(id -u)" != 0 ] || AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups)

finish() {
  local code=$?
  trap '' INT TERM
  if [ -n "$PID" ]; then
    kill -INT "$PID" 2>/dev/null || true
    wait "$PID" || true
  fi
  exit "$code"
}

make_cluster() {
  install -d -m 700 "$DIR/data"
  [ "$(id -u)" != 0 ] || chown postgres "$DIR/data"
  "${AS_POSTGRES[@]}" "$POSTGRES_BIN/initdb" --pgdata="$DIR/data" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync --auth=trust >"$DIR/initdb.log" 2>&1 || {
    cat "$DIR/initdb.log" >&2
    die "no database could be made in $DIR; the reason stands above"
  }
  "${AS_POSTGRES[@]}" tee "$DIR/data/pg_hba.conf" >/dev/null <<'HBA'
host all postgres 127.0.0.1/32 trust
host all all      127.0.0.1/32 scram-sha-256
HBA
}

# start PORT: whether it answers there.
start() {
  local port=$1
  shift
  # What it writes need not survive a loss of power.
  "${AS_POSTGRES[@]}" "$POSTGRES_BIN/postgres" -D "$DIR/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off -c max_connections=300 -c log_line_prefix='%m %q%u@%d %e ' "$@" </dev/null >>"$DIR/postgres.log" 2>&1 &
  PID=$!
  until is_ready; do
    if ! kill -0 "$PID" 2>/dev/null; then
      wait "$PID" || true
      PID=
      return 1
    fi
    sleep 0.05
  done
}

# Whether it says that it answers, as pg_ctl asks it: not every package has pg_isready, and another server may
# listen on its port.
is_ready() {
  [ -e "$DIR/data/postmaster.pid" ] &&
    awk -v pid="$PID" 'NR == 1 && $1 != pid { exit } NR == 8 { ready = $1 == "ready"; exit } END { exit !ready }' \
      "$DIR/data/postmaster.pid" 2>/dev/null
}

start_somewhere() {
  local port tries=0
  if [ -e "$DIR/port" ]; then
    port=$(cat "$DIR/port")
    start "$port" "$@" && return
  else
    while [ $((tries += 1)) -le 10 ]; do
      port=$((20000 + RANDOM % 12000))
      if start "$port" "$@"; then
        echo "$port" >"$DIR/port"
        return
      fi
    done
  fi
  tail -n 20 "$DIR/postgres.log" >&2
  die "PostgreSQL does not start in $DIR; the reason stands above"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tools_postgres
mkdir -p "$DIR"
DIR=$(realpath "$DIR")
"${AS_POSTGRES[@]}" test -x "$DIR" || die "the user postgres cannot reach $DIR; put the repository into a folder that others may pass"
[ -e "$DIR/data/PG_VERSION" ] || make_cluster
settings=()
for setting in "$@"; do
  settings+=(-c "$setting")
done
if [ -e "$DIR/server.key" ]; then
  for file in server.crt server.key; do
    "${AS_POSTGRES[@]}" tee "$DIR/data/$file" <"$DIR/$file" >/dev/null
    "${AS_POSTGRES[@]}" chmod 600 "$DIR/data/$file"
  done
  settings+=(-c ssl=on)
fi
start_somewhere "${settings[@]}"
echo "127.0.0.1:$(cat "$DIR/port")"
# Until whoever started it ends.
while read -r _; do :; done

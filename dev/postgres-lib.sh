# shellcheck shell=bash
# A PostgreSQL server beside a script, by dev/postgres.sh. Sourced, never run; lib.sh must come first.

# start_postgres DIR [NAME=VALUE…]: returns once it answers, with HOST:PORT in POSTGRES_ADDRESS. It ends
# with the script.
start_postgres() {
  coproc POSTGRES { exec dev/postgres.sh "$@"; }
  # Bash takes the number away by itself when the process ends.
  POSTGRES_SERVER_PID=$POSTGRES_PID
  # shellcheck disable=SC2034 # others use it
  read -r POSTGRES_ADDRESS <&"${POSTGRES[0]}" || die "PostgreSQL did not start; the reason stands above"
}

# start_lasting_postgres DIR: the same, but it outlives the script, until POSTGRES_SERVER_PID is killed.
start_lasting_postgres() {
  mkdir -p "$1"
  # Nobody writes to it, and it has no end.
  mkfifo "$1/input"
  setsid dev/postgres.sh "$@" <>"$1/input" >"$1/address" &
  POSTGRES_SERVER_PID=$!
  until [ -s "$1/address" ]; do
    kill -0 "$POSTGRES_SERVER_PID" 2>/dev/null || die "PostgreSQL did not start; the reason stands above"
    sleep 0.1
  done
  # shellcheck disable=SC2034 # others use it
  POSTGRES_ADDRESS=$(cat "$1/address")
}

# stop_postgres: returns once it is gone.
stop_postgres() {
  if [ -n "${POSTGRES_SERVER_PID-}" ]; then
    kill -TERM "$POSTGRES_SERVER_PID" 2>/dev/null || true
    wait "$POSTGRES_SERVER_PID" 2>/dev/null || true
    POSTGRES_SERVER_PID=
  fi
}

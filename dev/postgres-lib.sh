# shellcheck shell=bash
# A PostgreSQL server beside a script, by dev/postgres.sh. Sourced, never run; lib.sh must come first.

# start_postgres DIR [NAME=VALUE…]: returns once it answers, with HOST:PORT in POSTGRES_ADDRESS.
start_postgres() {
  coproc POSTGRES { exec dev/postgres.sh "$@"; }
  # Bash takes the number away by itself when the process ends.
  POSTGRES_SERVER_PID=$POSTGRES_PID
  # shellcheck disable=SC2034 # others use it
  read -r POSTGRES_ADDRESS <&"${POSTGRES[0]}" || die "PostgreSQL did not start; the reason stands above"
}

# stop_postgres: returns once it is gone. Without it the server ends with the script.
stop_postgres() {
  if [ -n "${POSTGRES_SERVER_PID-}" ]; then
    kill -TERM "$POSTGRES_SERVER_PID" 2>/dev/null || true
    wait "$POSTGRES_SERVER_PID" 2>/dev/null || true
    POSTGRES_SERVER_PID=
  fi
}

#!/usr/bin/env bash
# with-postgres.sh COMMAND…: runs the command beside a new PostgreSQL server, and always stops it
# afterwards. To repeat tests of the store by hand:
#
#     dev/with-postgres.sh cargo test --locked --lib store
#
# The command finds HOST:PORT of the server in KEYREEVE_TEST_POSTGRES; the user `postgres` needs no
# password there.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/postgres-lib.sh

[ $# -gt 0 ] || die "say which command to run beside the server"

DIR=$ROOT/target/postgres/$$

finish() {
  local code=$?
  trap '' INT TERM
  stop_postgres
  rm -rf "$DIR"
  exit "$code"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tools_postgres
start_postgres "$DIR"
export KEYREEVE_TEST_POSTGRES=$POSTGRES_ADDRESS
"$@"

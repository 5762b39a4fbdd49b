#!/usr/bin/env bash
# `make bench`: what writing users to the stores costs, as ratios of two ways in one run. No test. To measure some of them:
#
#     dev/bench.sh sqlite postgres
#     USERS=1000 ROUNDS=9 dev/bench.sh postgres     more users a round, more rounds
#
# The servers are its own, and stopped afterwards. PostgreSQL waits for the disk, as it does in earnest.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/postgres-lib.sh
. dev/keycloak-lib.sh

DIR=$ROOT/target/bench/$$

build() {
  cargo bench --locked --bench store --no-run
}

finish() {
  local code=$?
  trap '' INT TERM # a second Ctrl-C must not leave half of it behind
  stop_keycloak
  stop_postgres
  rm -rf "$DIR"
  exit "$code"
}

[ $# -gt 0 ] || set -- sqlite postgres keycloak
for store in "$@"; do
  case $store in
    sqlite | postgres | keycloak) ;;
    *) die "there is no store $store to measure: sqlite, postgres and keycloak are" ;;
  esac
done

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

need_rust
rm -rf "$DIR" # of an earlier process with the same number
mkdir -p "$DIR"
# Nothing else runs while something is measured.
step "Building the benchmark" "about 6 minutes" build
for store in "$@"; do
  case $store in
    postgres)
      tools_postgres
      step "Starting PostgreSQL" "" start_postgres "$DIR/postgres" fsync=on
      export KEYREEVE_TEST_POSTGRES=$POSTGRES_ADDRESS
      ;;
    keycloak)
      tools_keycloak
      start_keycloak "$DIR/keycloak"
      step "Starting Keycloak $KEYCLOAK_VERSION" "" await_keycloak
      ;;
  esac
  cargo bench --quiet --locked --bench store -- "$store"
  stop_postgres
done

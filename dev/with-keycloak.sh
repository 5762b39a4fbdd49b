#!/usr/bin/env bash
# with-keycloak.sh COMMAND…: runs the command beside a new Keycloak, and always stops it afterwards:
#
#     dev/with-keycloak.sh cargo test --locked --lib store::keycloak
#
# What the command finds in its environment stands in keycloak-lib.sh.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/keycloak-lib.sh

[ $# -gt 0 ] || die "say which command to run beside Keycloak"

DIR=$ROOT/target/keycloaks/$$

finish() {
  local code=$?
  trap '' INT TERM # a second Ctrl-C must not leave half of it behind
  stop_keycloak
  if [ "$code" = 0 ]; then
    rm -rf "$DIR"
  elif [ -d "$DIR" ]; then
    say "The log of Keycloak is ${DIR#"$ROOT"/}/keycloak.log" >&2
  fi
  exit "$code"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tools_keycloak
rm -rf "$DIR" # of an earlier process with the same number
start_keycloak "$DIR"
step "Starting Keycloak $KEYCLOAK_VERSION" "" await_keycloak

"$@"

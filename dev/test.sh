#!/usr/bin/env bash
# `make test`: all tests, on a real control plane. Arguments go to `cargo test`, to run a part:
#
#     dev/test.sh --test NAME
#
# Everything is built before the cluster starts: beside a build, on few cores, a control plane is
# too slow to be trusted. Keycloak takes its time and may: it starts beside the build. The last line
# is the total.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/keycloak-lib.sh

LOG=$(mktemp)
KEYCLOAK=$ROOT/target/keycloaks/$$

build() {
  cargo build --locked
  cargo test --locked --no-run "${which[@]}"
  if [ "$all" = yes ]; then
    cargo test --locked --no-run --test rights
  fi
}

# Examples in the documentation compile as they run, and reach no cluster: they come first.
doc_tests() {
  cargo test --locked --doc 2>&1 | tee -a "$LOG"
}

tests() {
  local command=(cargo test --locked --no-fail-fast "${which[@]}")
  if [ "$all" = yes ]; then
    # What the chart grants is compared with what all the others used, while their cluster is there.
    command=(bash -c '"$@" && code=0 || code=$?; cargo test --locked --test rights && exit $code' bash "${command[@]}")
  fi
  dev/with-cluster.sh "${command[@]}" 2>&1 | tee -a "$LOG"
}

# What failed and why, once more: it stands far above.
failures() {
  say "What failed"
  grep --no-group-separator -A 8 -E "^thread '.*' .*panicked at " "$LOG" | grep -vE '^(stack backtrace:|note: |  +[0-9]+: |  +at )' || true
}

# total CODE: the closing line, summed up from those of the test programs.
total() {
  local passed failed skipped
  read -r passed failed skipped < <(awk '
    /^test result: / { passed += $4; failed += $6; skipped += $8 }
    END { print passed + 0, failed + 0, skipped + 0 }' "$LOG")
  [ "$failed" = 0 ] || failures
  rm -f "$LOG"
  stop_keycloak
  if [ "$1" = 0 ] && [ $((passed + failed)) = 0 ]; then
    say "No test ran"
    set -- 1
  elif [ "$1" != 0 ] && [ "$failed" = 0 ]; then
    say "The tests did not run to their end; the reason stands above"
  fi
  say "make test took $SECONDS s"
  if [ "$skipped" = 0 ]; then
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
  else
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  fi
  if [ "$1" = 0 ]; then
    rm -rf "$KEYCLOAK"
  fi
  exit "$1"
}

which=("$@")
all=no
if [ $# = 0 ]; then
  which=(--lib --bins --tests)
  all=yes
fi
trap 'total $?' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

need_rust
tools_controlplane
tools_helm
tools_jq
tools_helm_4
tools_crds
tools_kubeconform
tools_gitops
tools_promql
tools_postgres
tools_faketime
tools_podman
tools_keycloak
rm -rf "$KEYCLOAK"
start_keycloak "$KEYCLOAK"
step "Building Keyreeve and its tests" "about 3 minutes" build
if [ "$all" = yes ]; then
  step "Running the examples of the documentation" "" doc_tests
fi
step "Waiting for Keycloak $KEYCLOAK_VERSION" "" await_keycloak
step "Running the tests" "" tests

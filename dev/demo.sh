#!/usr/bin/env bash
# `make demo`: the whole of it in one go, on real parts. Starts a cluster, installs the chart, runs
# the operator with the chart's ServiceAccount, and tells the story of examples/two-tenants; its parts
# are in dev/demo/. Every step checks what it shows: the demo ends with an error when one is not so.
#
#     STORE=postgres make demo     tells it on PostgreSQL
#     STORE=keycloak make demo     tells it on Keycloak, where people log in at once
#     KEEP=1 make demo             leaves cluster and operator running and says what to type next

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/cluster-lib.sh
. dev/chart.sh
. dev/postgres-lib.sh
. dev/keycloak-lib.sh
for part in show store login bundle plans access passwords keys deletion token; do
  # shellcheck source=/dev/null
  . "dev/demo/$part.sh"
done

DIR=$ROOT/target/demo/$$
STORE=${STORE-sqlite}
CONTROL_PLANE_PID=
OPERATOR_PID=

finish() {
  local code=$?
  trap '' INT TERM
  # Who stops the demo (130, 143) knows why it ended.
  if [[ $code != @(0|130|143) && -f $DIR/operator.log ]]; then
    echo "The operator's log ends:" >&2
    tail -n 20 "$DIR/operator.log" >&2
    if [ -s "$DIR/keycloak/keycloak.log" ]; then
      echo "Keycloak's log ends:" >&2
      tail -n 20 "$DIR/keycloak/keycloak.log" >&2
    fi
  fi
  if [ -n "$OPERATOR_PID" ]; then
    kill -TERM "$OPERATOR_PID" 2>/dev/null && wait "$OPERATOR_PID" || true
  fi
  if [ -n "$CONTROL_PLANE_PID" ]; then
    stop_control_plane "$CONTROL_PLANE_PID"
  fi
  stop_store
  rm -rf "$DIR"
  exit "$code"
}

# start_operator [COMMAND…]: by way of the command, if there is one.
start_operator() {
  KUBECONFIG=$DIR/operator.kubeconfig POD_NAMESPACE=keyreeve-system \
    "$@" target/debug/keyreeve run "${STORE_FLAGS[@]}" --log-format text \
    --metrics-bind-address 0 --health-probe-bind-address 0 >>"$DIR/operator.log" 2>&1 &
  OPERATOR_PID=$!
}

# restart_operator [COMMAND…]
restart_operator() {
  kill -TERM "$OPERATOR_PID"
  wait "$OPERATOR_PID" || die "the operator should have ended in order"
  start_operator "$@"
}

introduce() {
  chapter "Keyreeve: identity tenants as custom resources"
  tell "What people declare by kubectl, the operator checks against plans and grants and writes into an \
identity store, from which an identity provider serves logins. Both sides are shown here."
  tell_what_differs
}

leave_running() {
  trap - EXIT INT TERM
  disown "$OPERATOR_PID"
  [ -z "$(store_pid)" ] || disown "$(store_pid)"
  cat <<EOF

Everything is left running. Next:

  export KUBECONFIG="$KUBECONFIG"
  export PATH="$DEV/bin:\$PATH"
  kubectl get keyreeve -A
  kubectl explain tnt.spec.settings
  kubectl edit tprof standard --namespace platform
  target/debug/keyreeve jwks bank
$(store_hints | sed 's/^/  /')
  tail -f "$DIR/operator.log"

The end:

  kill $OPERATOR_PID $CONTROL_PLANE_PID $(store_pid); while kill -0 $CONTROL_PLANE_PID 2>/dev/null; do sleep 0.2; done; rm -rf "$DIR"
EOF
}

main() {
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  [[ $STORE == @(sqlite|postgres|keycloak) ]] || die "STORE is sqlite, postgres or keycloak, not '$STORE'"
  need_rust
  tools_controlplane
  tools_helm
  tools_store
  tools_faketime
  tools_jose
  mkdir -p "$DIR"
  begin_store "$DIR"
  step "Compiling the operator" "about 3 minutes" cargo build --locked --quiet
  if [ -n "${KEEP-}" ]; then
    step "Starting a cluster" "" start_control_plane "$DIR"
  else
    step "Starting a cluster" "" start_control_plane "$DIR" --stop-with-parent
  fi
  step "$STORE_STEP" "" start_store "$DIR"
  step "Installing the chart" "" install_chart "$DIR/operator.kubeconfig"
  step "Starting the operator" "" start_operator
  introduce
  apply_users_first
  apply_the_rest
  show_effective
  show_refusal
  show_lock
  show_quota
  show_roles
  show_grant
  show_drift
  show_passwords
  show_keys
  show_rotation
  show_takeover
  show_revocation
  show_deletion
  if [ "$STORE" = keycloak ]; then
    show_token
  fi
  if [ -n "${KEEP-}" ]; then
    leave_running
  else
    tell "All is as it should be. KEEP=1 make demo leaves it running."
  fi
}

main

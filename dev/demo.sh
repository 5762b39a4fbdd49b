#!/usr/bin/env bash
# `make demo`: the whole of it in one go, on real parts. Starts a cluster, installs the chart, runs
# the operator with the chart's ServiceAccount, applies examples/, and shows what a person would
# want to see. Every step checks what it shows: the demo ends with an error when one is not so.
#
#     KEEP=1 make demo     leaves cluster and operator running and says what to type next

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/cluster-lib.sh
. dev/chart.sh

DIR=$ROOT/target/demo/$$
STORE=$DIR/keyreeve.db
CONTROL_PLANE_PID=
OPERATOR_PID=

finish() {
  local code=$?
  trap '' INT TERM
  if [ "$code" != 0 ] && [ -f "$DIR/operator.log" ]; then
    echo "The operator's log ends:" >&2
    tail -n 20 "$DIR/operator.log" >&2
  fi
  if [ -n "$OPERATOR_PID" ]; then
    kill -TERM "$OPERATOR_PID" 2>/dev/null && wait "$OPERATOR_PID" || true
  fi
  if [ -n "$CONTROL_PLANE_PID" ]; then
    stop_control_plane "$CONTROL_PLANE_PID"
  fi
  rm -rf "$DIR"
  exit "$code"
}

# --- small helps ------------------------------------------------------------------------------

# title TEXT: what the next lines show.
title() {
  if [ -t 1 ]; then
    printf '\n\033[1m%s\033[0m\n' "$1"
  else
    printf '\n== %s\n' "$1"
  fi
}

# shown COMMAND…: prints the command as one would type it, and runs it.
shown() {
  printf '$ %s\n' "$*"
  "$@"
}

# store QUERY: asks the store, as an identity provider would: read-only.
store() {
  sqlite3 -readonly -header -column "$STORE" "$1"
}

# awaited WHAT COMMAND…: until the command succeeds.
awaited() {
  local what=$1 tenths=0
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((tenths += 1)) -le 300 ] || die "$what did not come about within 30 s"
    sleep 0.1
  done
}

# expect WHAT WANTED FOUND: ends the demo when something is not as it should be.
expect() {
  [ "$2" = "$3" ] || die "$1 should be '$2' and is '$3'"
}

# --- the steps --------------------------------------------------------------------------------

# start_operator [COMMAND…]: by way of the command, if there is one.
start_operator() {
  KUBECONFIG=$DIR/operator.kubeconfig POD_NAMESPACE=keyreeve-system \
    "$@" target/debug/keyreeve run --store "sqlite:$STORE" --log-format text \
    --metrics-bind-address 0 --health-probe-bind-address 0 >>"$DIR/operator.log" 2>&1 &
  OPERATOR_PID=$!
}

# restart_operator [COMMAND…]
restart_operator() {
  kill -TERM "$OPERATOR_PID"
  wait "$OPERATOR_PID" || die "the operator should have ended in order"
  start_operator "$@"
}

apply_examples() {
  kubectl create namespace team-a >/dev/null
  kubectl config set-context --current --namespace=team-a >/dev/null
  kubectl apply --recursive -f examples/ >/dev/null
  awaited "an operator that runs" kill -0 "$OPERATOR_PID"
  kubectl wait --for=condition=Ready --timeout=60s tenants,tenantprofiles --all >/dev/null
}

show_tables() {
  title "Tenants and their profiles, as people see them"
  shown kubectl get tnt
  echo
  shown kubectl get tprof
}

show_effective() {
  local path source
  title "What is in force in the tenant with-profile, and where it comes from (all else is built in)"
  printf '%-28s %-10s %s\n' SETTING VALUE FROM
  kubectl get tnt with-profile -o go-template='{{range $path, $source := .status.effective.sources}}{{$path}} {{$source}}{{"\n"}}{{end}}' |
    while read -r path source; do
      printf '%-28s %-10s %s\n' "$path" "$(kubectl get tnt with-profile -o "jsonpath={.status.effective.$path}")" "$source"
    done
  expect "the source of settings.ttl.session" Tenant \
    "$(kubectl get tnt with-profile -o 'go-template={{index .status.effective.sources "settings.ttl.session"}}')"
  title "What the tenant locked says in vain, because its profile locks it"
  echo "$ kubectl get tnt locked -o jsonpath='{.status.overridden}'"
  kubectl get tnt locked -o 'jsonpath={.status.overridden}{"\n"}'
  expect "what locked says in vain" '["settings.registerEnabled","settings.ttl.accessToken"]' \
    "$(kubectl get tnt locked -o 'jsonpath={.status.overridden}')"
}

show_drift() {
  local statement
  title "Somebody changes the store behind the operator's back …"
  # shellcheck disable=SC2016 # `$` is the root of a JSON path
  statement='UPDATE tenants SET display_name = '"'Hacked'"', settings = json_set(settings, '"'\$.registerEnabled', json('true')"') WHERE tenant_id = '"'with-profile'"
  printf '$ sqlite3 keyreeve.db "%s"\n' "$statement"
  sqlite3 "$STORE" "$statement"
  store "SELECT tenant_id, display_name, settings ->> 'registerEnabled' AS register_enabled FROM v1_tenants WHERE tenant_id = 'with-profile'"
  title "… and the next resync puts it right, and says so"
  shown kubectl annotate tnt with-profile keyreeve.dev/reconcile=now
  awaited "an event that says so" has_event with-profile DriftCorrected
  show_events with-profile DriftCorrected
  store "SELECT tenant_id, display_name, settings ->> 'registerEnabled' AS register_enabled FROM v1_tenants WHERE tenant_id = 'with-profile'"
  expect "what the store has" "A tenant on the starter plan|0" \
    "$(sqlite3 -readonly "$STORE" "SELECT display_name, settings ->> 'registerEnabled' FROM v1_tenants WHERE tenant_id = 'with-profile'")"
}

has_event() {
  kubectl get events --field-selector "involvedObject.name=$1,reason=$2" -o name | grep -q .
}

show_events() {
  kubectl get events --field-selector "involvedObject.name=$1,reason=$2" -o 'jsonpath={range .items[*]}{.type} {.reason}: {.message}{"\n"}{end}'
}

show_refusal() {
  local answer
  title "A mistake is refused at once, by the API server, in a sentence"
  echo '$ kubectl patch tnt minimal --type merge -p '"'"'{"spec": {"settings": {"ttl": {"session": "5m"}}}}'"'"
  if answer=$(kubectl patch tnt minimal --type merge -p '{"spec": {"settings": {"ttl": {"session": "5m"}}}}' 2>&1); then
    die "a session of 5m should have been refused"
  fi
  echo "$answer"
  grep -q 'must be between 10m and 4320h' <<<"$answer" || die "the refusal should name the limits"
}

# As typed, this is the operator's program.
keyreeve() {
  target/debug/keyreeve "$@"
}

# jose sign|verify: the part of an identity provider, and of those who trust it.
jose() {
  "$JOSE_PYTHON" dev/jose.py "$1"
}

# kid_of STATE: of the tenant keys.
kid_of() {
  kubectl get tnt keys -o "jsonpath={.status.keystore[?(@.state==\"$1\")].key.kid}"
}

# signed: a token of the key that signs now.
signed() {
  kubectl --namespace keyreeve-system get secret keystore-keys -o json | jose sign
}

# tried TOKEN: says whether anybody who has the JWKS takes the token. The answer is its exit code, too.
tried() {
  { keyreeve jwks keys && echo "$1"; } | jose verify 2>&1
}

show_states() {
  kubectl get tnt keys -o go-template='{{range .status.keystore}}{{printf "%s %-7s since %s\n" .key.kid .state (or .revokedAt .rotatedAt .activatedAt .createdAt)}}{{end}}'
}

has_key() {
  kid_of "$1" | grep -q .
}

show_rotation() {
  local active standby
  title "Each tenant has signing keys of its own. Anybody may have their public halves …"
  shown keyreeve jwks keys
  title "… and an identity provider signs with the private half, from a Secret out of the teams' reach"
  echo '$ kubectl --namespace keyreeve-system get secret keystore-keys -o json | dev/jose.py sign'
  TOKEN=$(signed)
  echo "$TOKEN"
  active=$(kid_of Active)
  echo '$ { keyreeve jwks keys; echo TOKEN; } | dev/jose.py verify'
  tried "$TOKEN" || die "a token of the Active key should verify"
  title "A rotation is asked for: the next key is published for publishBefore before it signs"
  shown kubectl annotate tnt keys keyreeve.dev/rotate=now
  awaited "a Standby key" has_key Standby
  standby=$(kid_of Standby)
  show_states
  awaited "an event that says so" has_event keys KeyPublished
  show_events keys KeyPublished
  expect "the key that signs" "$active" "$(kid_of Active)"
  expect "the number of keys in the JWKS" 2 "$(keyreeve jwks keys | grep -c '"kid"')"
  echo "The token from before:"
  tried "$TOKEN" || die "a token of the Active key should verify while the next one is published"
}

show_takeover() {
  local old
  old=$(kid_of Active)
  title "Three hours later (for the operator alone: it is started anew under a clock that is ahead) …"
  # Not by the command faketime, which would stand between the operator and its signals.
  restart_operator env "LD_PRELOAD=$(faketime -f +0 printenv LD_PRELOAD)" FAKETIME=+3h
  awaited "a key that took over" has_key Retired
  show_states
  expect "the key that signed" "$old" "$(kid_of Retired)"
  awaited "an event that says so" has_event keys KeyRotated
  show_events keys KeyRotated
  echo "The token from before:"
  tried "$TOKEN" || die "a token of a retired key should verify"
  echo "A new one:"
  NEW_TOKEN=$(signed)
  tried "$NEW_TOKEN" || die "a token of the key that took over should verify"
}

show_revocation() {
  local leaked answer
  leaked=$(kid_of Active)
  title "The key that signs now leaks: it is revoked, and another one signs at once"
  printf '$ kubectl patch tnt keys --type merge -p '"'"'{"spec": {"keystore": {"revoke": ["%s"]}}}'"'"'\n' "$leaked"
  kubectl patch tnt keys --type merge -p "{\"spec\": {\"keystore\": {\"revoke\": [\"$leaked\"]}}}"
  awaited "a revoked key" has_key Revoked
  show_states
  expect "the key that is revoked" "$leaked" "$(kid_of Revoked)"
  awaited "an event that says so" has_event keys KeyRevoked
  show_events keys KeyRevoked
  echo "What it signed:"
  if answer=$(tried "$NEW_TOKEN"); then
    die "a token of a revoked key should not verify"
  fi
  echo "$answer"
  grep -q 'has no key of its kid' <<<"$answer" || die "the revoked key should be out of the JWKS"
  echo "What another one signed, before and now:"
  tried "$TOKEN" || die "a token of another key should verify all the same"
  tried "$(signed)" || die "a token of the new key should verify"
  # Its clock is right again.
  restart_operator
}

show_deletion() {
  title "Deletion does what deletionPolicy says: by default the store keeps the tenant …"
  shown kubectl delete tnt minimal
  expect "minimal in the store" 1 "$(sqlite3 -readonly "$STORE" "SELECT count(*) FROM v1_tenants WHERE tenant_id = 'minimal'")"
  store "SELECT tenant_id, enabled FROM v1_tenants WHERE tenant_id = 'minimal'"
  title "… and with Delete it is gone"
  echo '$ kubectl patch tnt with-profile --type merge -p '"'"'{"spec": {"deletionPolicy": "Delete"}}'"'"
  kubectl patch tnt with-profile --type merge -p '{"spec": {"deletionPolicy": "Delete"}}'
  shown kubectl delete tnt with-profile
  expect "with-profile in the store" 0 "$(sqlite3 -readonly "$STORE" "SELECT count(*) FROM v1_tenants WHERE tenant_id = 'with-profile'")"
  store "SELECT count(*) AS tenants_called_with_profile FROM v1_tenants WHERE tenant_id = 'with-profile'"
}

leave_running() {
  trap - EXIT INT TERM
  disown "$OPERATOR_PID"
  cat <<EOF

Everything is left running. Next:

  export KUBECONFIG="$KUBECONFIG"
  export PATH="$DEV/bin:\$PATH"
  kubectl get keyreeve -A
  kubectl explain tenant.spec.settings
  kubectl edit tnt locked
  target/debug/keyreeve jwks keys
  sqlite3 "$STORE" 'SELECT * FROM v1_tenants'
  tail -f "$DIR/operator.log"

The end:

  kill $OPERATOR_PID $CONTROL_PLANE_PID; while kill -0 $CONTROL_PLANE_PID 2>/dev/null; do sleep 0.2; done; rm -rf "$DIR"
EOF
}

main() {
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  need_rust
  tools_controlplane
  tools_helm
  tools_sqlite3
  tools_faketime
  tools_jose
  step "Compiling the operator" "about 3 minutes" cargo build --locked --quiet
  mkdir -p "$DIR"
  if [ -n "${KEEP-}" ]; then
    step "Starting a cluster" "" start_control_plane "$DIR"
  else
    step "Starting a cluster" "" start_control_plane "$DIR" --stop-with-parent
  fi
  step "Installing the chart" "" install_chart "$DIR/operator.kubeconfig"
  step "Starting the operator" "" start_operator
  step "Applying examples/ and waiting until all is Ready" "" apply_examples
  show_tables
  show_effective
  show_drift
  show_refusal
  show_rotation
  show_takeover
  show_revocation
  show_deletion
  if [ -n "${KEEP-}" ]; then
    leave_running
  else
    title "All is as it should be. KEEP=1 make demo leaves it running."
  fi
}

main

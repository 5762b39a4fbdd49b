#!/usr/bin/env bash
# What the operator takes, of memory and of processor: the figures beside `resources` in the chart's
# values come from it, with a release build. It runs beside a cluster, with one binary or another:
#
#     dev/with-cluster.sh dev/measure.sh [BINARY]
#
# 1000 objects are applied at once: 50 Tenants with a key each, 50 Roles, 900 Users, of which 300
# have a password that is made and hashed. Then it looks at all of them every 10 minutes, as ever.

. "$(dirname "$0")/lib.sh"

BINARY=${1:-target/debug/keyreeve}
NAMESPACE=measured
TENANTS=50
FILES=$(mktemp -d)
OPERATOR=

finish() {
  [ -z "$OPERATOR" ] || kill "$OPERATOR"
  rm -rf "$FILES"
}
trap finish EXIT

objects() {
  local tenant user head='{"apiVersion": "keyreeve.dev/v1alpha1", "kind"' password
  for tenant in $(seq "$TENANTS"); do
    echo "$head: \"Tenant\", \"metadata\": {\"name\": \"tenant-$tenant\"}, \"spec\": {\"keystore\": {\"algorithm\": \"ES256\"}}}"
    echo "$head: \"Role\", \"metadata\": {\"name\": \"r$tenant\"}, \"spec\": {\"tenantRef\": {\"name\": \"tenant-$tenant\"}}}"
    for user in $(seq 18); do
      password=
      [ "$user" -gt 6 ] || password=', "password": {"generate": {}}'
      echo "$head: \"User\", \"metadata\": {\"name\": \"u$tenant-$user\"}, \"spec\": {\"tenantRef\": {\"name\": \"tenant-$tenant\"}, \"roles\": [{\"name\": \"r$tenant\"}]$password}}"
    done
  done
}

# resident FIELD: of the operator's memory, in MiB; VmRSS is what it has now, VmHWM what it ever had.
resident() {
  awk -v field="$1:" '$1 == field { printf "%d", $2 / 1024 }' "/proc/$OPERATOR/status"
}

# computed: how long it has computed, in hundredths of a second.
computed() {
  sed 's/.*) //' "/proc/$OPERATOR/stat" | awk '{ print $12 + $13 }'
}

report() {
  printf '%-44s %4d MiB now, %4d MiB at most, %7.2f s of processor in %d s\n' "$1" \
    "$(resident VmRSS)" "$(resident VmHWM)" "$(awk -v c=$(($(computed) - COMPUTED)) 'BEGIN { print c / 100 }')" $((SECONDS - BEGAN))
  COMPUTED=$(computed) BEGAN=$SECONDS
}

unready() {
  kubectl get tnt,trole,tusr --namespace "$NAMESPACE" -o json |
    python3 -c 'import json, sys
ready = lambda o: any(c["type"] == "Ready" and c["status"] == "True" for c in o.get("status", {}).get("conditions", []))
print(sum(not ready(o) for o in json.load(sys.stdin)["items"]))'
}

run_for() {
  local until=$((SECONDS + $1))
  while [ $SECONDS -lt $until ]; do sleep 1; done
}

start() {
  KUBECONFIG=$KEYREEVE_TEST_OPERATOR_KUBECONFIG POD_NAMESPACE=keyreeve-system "$BINARY" run \
    --watch-namespace "$NAMESPACE" --store "sqlite:$FILES/store.db" --metrics-bind-address 0 --health-probe-bind-address 0 2>>"$FILES/log" &
  OPERATOR=$!
  COMPUTED=0 BEGAN=$SECONDS
}

kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
objects >"$FILES/objects.json"
start
run_for 5
report "started, nothing there"
kubectl apply --namespace "$NAMESPACE" --server-side -f "$FILES/objects.json" >/dev/null
until [ "$(unready)" = 0 ]; do run_for 2; done
report "1000 objects applied, and Ready"
run_for 60
report "a minute in which nothing changes"
kill "$OPERATOR"
wait "$OPERATOR" || true
start
run_for 20
report "started again, with 1000 objects there"

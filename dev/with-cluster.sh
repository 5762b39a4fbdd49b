#!/usr/bin/env bash
# with-cluster.sh COMMAND…: runs the command beside a new control plane on which the chart is
# installed, and a PostgreSQL server, and always stops both afterwards. test.sh runs the tests so; to repeat one of them by hand:
#
#     dev/with-cluster.sh cargo test --locked --test NAME
#
# The command finds in its environment:
#
#     KUBECONFIG, KEYREEVE_TEST_KUBECONFIG   the administrator
#     KEYREEVE_TEST_OPERATOR_KUBECONFIG      the ServiceAccount of the chart
#     KEYREEVE_TEST_AUDIT_LOG                every request, one JSON object a line
#     KEYREEVE_TEST_DIR                      a scratch folder
#     KEYREEVE_TEST_POSTGRES                 HOST:PORT of a PostgreSQL server, whose user `postgres` needs no password
#     KEYREEVE_TEST_CRDS                     a folder with the CRDs of cert-manager and of the Prometheus operator
#     PATH                                   with kubectl, helm, helm4 and promql in front
#
# Tests of the Keycloak store need one beside it: put dev/with-keycloak.sh in front.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/cluster-lib.sh
. dev/chart.sh
. dev/postgres-lib.sh

[ $# -gt 0 ] || die "say which command to run beside the cluster"

DIR=$ROOT/target/clusters/$$
CONTROL_PLANE_PID=

finish() {
  local code=$?
  trap '' INT TERM # a second Ctrl-C must not leave half of it behind
  if [ -n "$CONTROL_PLANE_PID" ]; then
    stop_control_plane "$CONTROL_PLANE_PID"
  fi
  stop_postgres
  if [ "$code" = 0 ]; then
    rm -rf "$DIR"
  elif [ -d "$DIR" ]; then
    rm -rf "$DIR"/{etcd,postgres/data} # the large parts, and of no use to a reader
    say "The logs of the cluster are in ${DIR#"$ROOT"/}/logs, its requests in ${DIR#"$ROOT"/}/audit.log" >&2
  fi
  exit "$code"
}

# Removes what failed runs of long ago left; the latest stay, for whoever looks into them.
remove_old() {
  local old
  find target/clusters -mindepth 1 -maxdepth 1 -type d -mmin +1440 | while read -r old; do
    control_plane_runs "$old" || rm -rf "$old"
  done
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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
# pg_dump and the like, for commands in the documents; others of this name come first.
export PATH=$PATH:$POSTGRES_BIN

rm -rf "$DIR" # of an earlier process with the same number
mkdir -p "$DIR/scratch"
remove_old

step "Starting a cluster" "" start_control_plane "$DIR" --stop-with-parent
step "Starting PostgreSQL" "" start_postgres "$DIR/postgres"
step "Installing the chart" "" install_chart "$DIR/operator.kubeconfig"

export KEYREEVE_TEST_KUBECONFIG=$KUBECONFIG
export KEYREEVE_TEST_OPERATOR_KUBECONFIG=$DIR/operator.kubeconfig
export KEYREEVE_TEST_AUDIT_LOG=$DIR/audit.log
export KEYREEVE_TEST_POSTGRES=$POSTGRES_ADDRESS
export KEYREEVE_TEST_CRDS=$CRDS
export KEYREEVE_TEST_OPENAPI=$OPENAPI
export KEYREEVE_TEST_DIR=$DIR/scratch

"$@"

#!/usr/bin/env bash
# `make run`: the operator as a local process against the cluster of `make cluster`, with a SQLite
# store beside that cluster. Arguments go to the operator.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/cluster-lib.sh

need_rust
control_plane_runs target/cluster || die "no cluster is running; \`make cluster\` starts one"
export KUBECONFIG=$ROOT/target/cluster/kubeconfig
exec cargo run --locked -- run \
  --store sqlite:target/cluster/keyreeve.db \
  --metrics-bind-address 127.0.0.1:8080 \
  --health-probe-bind-address 127.0.0.1:8081 \
  "$@"

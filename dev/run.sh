#!/usr/bin/env bash
# `make run`: the operator as a local process against the cluster of `make cluster`, with a SQLite
# store beside that cluster. Arguments go to the operator.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/cluster-lib.sh

need_rust
control_plane_runs target/cluster || die "no cluster is running; \`make cluster\` starts one"
export KUBECONFIG=$ROOT/target/cluster/kubeconfig
# By the environment, so that an argument can say otherwise: `dev/run.sh --metrics-bind-address 0`.
export KEYREEVE_STORE=sqlite:target/cluster/keyreeve.db
exec cargo run --locked -- run "$@"

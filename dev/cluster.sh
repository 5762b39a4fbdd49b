#!/usr/bin/env bash
# `make cluster` and `make cluster-stop`: a control plane in target/cluster that stays until it is
# stopped, for trying things by hand. run.sh runs the operator against it. Every start is a new,
# empty cluster.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh
. dev/cluster-lib.sh

DIR=target/cluster

start() {
  tools_controlplane
  if control_plane_runs "$DIR"; then
    say "The cluster is already running (process $(cat "$DIR/pid"))"
    export KUBECONFIG=$ROOT/$DIR/kubeconfig
  else
    rm -rf "$DIR"
    trap 'stop_control_plane "${CONTROL_PLANE_PID-}"; exit 130' INT TERM
    # The lock must not live on in the cluster.
    step "Starting a cluster in $DIR" "" start_control_plane "$DIR" 9>&-
    trap - INT TERM
  fi
  if [ -d crds ]; then
    step "Installing the CRDs" "" install_crds
  fi
  cat <<EOF

  export KUBECONFIG="$ROOT/$DIR/kubeconfig"
  export PATH="$DEV/bin:\$PATH"      # its kubectl and controlplane
  kubectl get namespaces

  make run             the operator against it
  make cluster-stop    the end; the next start is empty again
  Logs are in $DIR/logs, every request is in $DIR/audit.log.
EOF
}

install_crds() {
  kubectl apply --server-side --force-conflicts -f crds/
  kubectl wait --for=condition=Established --timeout=30s -f crds/ >/dev/null
}

stop() {
  if control_plane_runs "$DIR"; then
    step "Stopping the cluster in $DIR" "" stop_control_plane "$(cat "$DIR/pid")"
  else
    say "No cluster is running in $DIR"
  fi
}

# One at a time: of two starts, both would find nothing and clear the folder.
mkdir -p target
exec 9>target/.cluster.lock
flock 9

case ${1-} in
  start | stop) "$1" ;;
  *) die "say \`start\` or \`stop\`" ;;
esac

# shellcheck shell=bash
# Starts and stops a control plane in a folder of its own; all else about it is the business of
# dev/controlplane/up.go. Used by cluster.sh, with-cluster.sh and demo.sh. Sourced, never run;
# lib.sh and tools.sh must come first.

# start_control_plane DIR [FLAG…]: returns once the cluster in DIR is ready, with its process id in
# CONTROL_PLANE_PID and KUBECONFIG set to its administrator. The flags are those of `controlplane up`.
start_control_plane() {
  local dir=$1
  shift
  mkdir -p "$dir/logs"
  # A session of its own: Ctrl-C in the terminal goes to the script, which then stops it in order.
  setsid "$DEV/bin/controlplane" up --dir "$dir" "$@" </dev/null >"$dir/logs/up.log" 2>&1 &
  CONTROL_PLANE_PID=$!
  until [ -e "$dir/ready" ]; do
    if ! kill -0 "$CONTROL_PLANE_PID" 2>/dev/null; then
      cat "$dir/logs/up.log" >&2
      die "the control plane did not start; the reason stands above, all its logs are in $dir/logs"
    fi
    sleep 0.1
  done
  KUBECONFIG=$(realpath "$dir")/kubeconfig
  export KUBECONFIG
}

# control_plane_runs DIR: whether the control plane of that folder is alive. A process id alone
# would not tell: after a crash it may be somebody else's.
control_plane_runs() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'controlplane up '
}

# stop_control_plane PID: returns once it is gone. It stops its parts in order within seconds.
stop_control_plane() {
  local pid=$1 tenths=0
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do
    if [ $((tenths += 1)) -gt 450 ]; then
      die "the control plane (process $pid) does not stop; \`kill -KILL $pid\` ends it and its parts"
    fi
    sleep 0.1
  done
}

#!/usr/bin/env bash
# podman.sh ARGUMENT…: podman as image.sh and the tests use it, with a storage of its own in target,
# apart from any other on the machine. Who is not root removes it by
# `podman unshare rm -rf target/dev/podman`: some of it belongs to others.
#
#     dev/podman.sh images
#     dev/podman.sh push keyreeve:0.1.0 YOUR-REGISTRY/keyreeve:0.1.0

. "$(dirname "$0")/lib.sh"

# Podman takes no path longer than 50 characters for what lasts no longer than the machine is up.
RUN=${XDG_RUNTIME_DIR:-/run}/keyreeve-$(cksum <<<"$ROOT" | cut -d' ' -f1)

# With runc and without systemd's cgroups it runs in the most places, also where there is no systemd.
exec podman --root "$ROOT/target/dev/podman" --runroot "$RUN" --runtime runc --cgroup-manager cgroupfs "$@"

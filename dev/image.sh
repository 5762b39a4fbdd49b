#!/usr/bin/env bash
# `make image`: the operator as an image, by podman. The program is compiled here and not in a
# container: what is compiled already is used, and no image is pulled. The last stage is the
# Dockerfile's own; a folder takes the place of its stage `build`.
#
#     dev/image.sh                  keyreeve:debug, from the debug binary
#     dev/image.sh --release        keyreeve:VERSION, from the release binary
#     dev/image.sh --binary FILE    keyreeve:debug, from a binary that is compiled already

. "$(dirname "$0")/lib.sh"
. dev/tools.sh

FOLDER=
trap 'rm -rf "$FOLDER"' EXIT

# gather BINARY: what the stage `build` ends with. Who is not root becomes it as far as Podman lets
# them, for a folder of it belongs to somebody else.
gather() {
  local as=(dev/podman.sh unshare)
  [ "$(id -u)" != 0 ] || as=()
  mkdir -p "$DEV"
  FOLDER=$(mktemp -d "$DEV/image.XXXXXX")
  "${as[@]}" dev/rootfs.sh "$1" "$FOLDER/rootfs"
}

# build NAME: without layers of the single steps, and without what the name meant until now.
build() {
  dev/podman.sh build --quiet --isolation chroot --layers=false --build-context build="$FOLDER" --tag "$1" . >/dev/null
  dev/podman.sh image prune --force >/dev/null
}

name=keyreeve:debug binary=target/debug/keyreeve
case "${1-} $#" in
  " 0")
    need_rust
    step "Compiling Keyreeve" "about 3 minutes" cargo build --locked
    ;;
  "--release 1")
    need_rust
    step "Compiling Keyreeve for release" "about 10 minutes" cargo build --release --locked
    name=keyreeve:$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -1) binary=target/release/keyreeve
    ;;
  "--binary 2") binary=$2 ;;
  *) die "say nothing, \`--release\` or \`--binary FILE\`" ;;
esac

tools_podman
gather "$binary"
step "Building the image" "" build "$name"
say "$name: $(dev/podman.sh images --format '{{.Size}}' "$name")"

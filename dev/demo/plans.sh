# shellcheck shell=bash
# Part of the demo: what a plan gives and allows. Sourced by demo.sh.

show_effective() {
  local path source
  chapter "2. Plans: defaults, locks, limits"
  tell "A setting is the tenant's, else its plan's, else built in. In force in the bank, and whose it is:"
  printf '    %-35s %-7s %s\n' SETTING VALUE FROM
  # shellcheck disable=SC2016 # the template's own variables
  kubectl get tnt bank -o go-template='{{range $path, $source := .status.effective.sources}}{{$path}} {{$source}}{{"\n"}}{{end}}' |
    while read -r path source; do
      # Of a setting that nobody set and that the store has in its own way, only the store can tell.
      [ "$source" != Store ] || continue
      printf '    %-35s %-7s %s\n' "$path" "$(kubectl get tnt bank -o "jsonpath={.status.effective.$path}")" "$source"
    done
  expect "the source of settings.ttl.session" Tenant \
    "$(kubectl get tnt bank -o 'go-template={{index .status.effective.sources "settings.ttl.session"}}')"
}

show_refusal() {
  local answer
  tell "What is wrong by itself is refused at once, in a sentence:"
  echo '$ kubectl patch tnt bank --type merge -p '"'"'{"spec": {"settings": {"ttl": {"session": "5m"}}}}'"'"
  if answer=$(kubectl patch tnt bank --type merge -p '{"spec": {"settings": {"ttl": {"session": "5m"}}}}' 2>&1); then
    die "a session of 5m should have been refused"
  fi
  echo "$answer"
  grep -q 'must be between 10m and 4320h' <<<"$answer" || die "the refusal should name the limits"
}

show_lock() {
  tell "The bakery's plan does not let it choose lifetimes. What it sets in vain, its status says:"
  shown kubectl --namespace team-bakery patch tnt bakery --type merge -p '{"spec": {"settings": {"ttl": {"session": "24h"}}}}'
  awaited "a setting that is overridden" overridden
  kubectl --namespace team-bakery get tnt bakery \
    -o 'jsonpath={"    overridden: "}{.status.overridden[*]}{", in force: "}{.status.effective.settings.ttl.session}{"\n"}'
}

overridden() {
  kubectl --namespace team-bakery get tnt bakery -o 'jsonpath={.status.overridden}' | grep -q settings.ttl.session
}

show_quota() {
  tell "The plan allows three users, and the bakery has three. Emre would be the fourth:"
  applied <<'YAML'
apiVersion: keyreeve.dev/v1alpha1
kind: User
metadata: {name: emre, namespace: team-bakery}
spec:
  tenantRef: {name: bakery}
  roles: [{name: seller}]
YAML
  awaited "a User without a seat" is QuotaExceeded tusr emre team-bakery
  shown kubectl --namespace team-bakery get tusr
  says tusr emre team-bakery
  tell "The platform team raises the limit, and he is let in without anybody touching him:"
  shown kubectl --namespace platform patch tprof standard --type merge -p '{"spec": {"planDetails": {"maxUsers": 4}}}'
  ready tusr emre team-bakery
}

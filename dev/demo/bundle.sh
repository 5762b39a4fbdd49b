# shellcheck shell=bash
# Part of the demo: two tenants come to life, applied the wrong way round. Sourced by demo.sh.

STORY=examples/two-tenants

apply_users_first() {
  chapter "1. Two teams, two plans, in the wrong order"
  tell "A bank and a bakery each have a tenant, on plans of a platform team. Their people are applied first:"
  kubectl apply -f $STORY/00-namespaces.yaml >/dev/null
  kubectl config set-context --current --namespace=team-bank >/dev/null
  shown kubectl apply -f $STORY/bank/users.yaml -f $STORY/bakery/users.yaml
  awaited "a User that waits" is TenantNotFound tusr dario team-bakery
  awaited "a User that waits" is TenantNotFound tusr reports
  tell "Nothing that they need is there. That is no error: they wait, and say for what."
  shown kubectl get tusr -A
  says tusr ben
}

apply_the_rest() {
  local file
  tell "Then their roles, the namespaces of these, the tenants, and last of all the plans:"
  for file in {roles,namespaces,tenant}.yaml; do
    shown kubectl apply -f "$STORY/bank/$file" -f "$STORY/bakery/$file" | sed -n 1p
  done
  if [ "$STORE" = keycloak ]; then
    echo "\$ sed s/ES256/RS256/ $STORY/plans.yaml | kubectl apply -f -"
    sed s/ES256/RS256/ $STORY/plans.yaml | kubectl apply -f - >/dev/null
  else
    shown kubectl apply -f $STORY/plans.yaml | sed -n 1p
  fi
  kubectl wait --for=condition=Ready --timeout=60s -A tnt,tprof,tns,trole,tusr --all >/dev/null
  awaited "users that are counted" users_counted
  tell "Nobody had to apply anything twice:"
  shown kubectl get keyreeve -A
}

users_counted() {
  [ "$(kubectl get tnt -A -o 'jsonpath={.items[*].status.userCount}')" = "3 3" ]
}

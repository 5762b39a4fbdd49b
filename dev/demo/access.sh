# shellcheck shell=bash
# Part of the demo: who may do what, and who may say so. Sourced by demo.sh.

show_roles() {
  local user role namespace through
  chapter "3. Who may do what"
  tell "The roles of the bank's people, and through which other role they have them (from status.roles):"
  printf '    %-12s %-20s %s\n' USER ROLE THROUGH
  # shellcheck disable=SC2016 # the template's own variables
  kubectl get tusr -o go-template='{{range .items}}{{$user := .status.username}}{{range .status.roles}}{{$user}} {{.name}} {{or .namespace "-"}} {{or .through "-"}}{{"\n"}}{{end}}{{end}}' |
    while read -r user role namespace through; do
      if [ "$namespace" != - ]; then
        role=$namespace/$role
      fi
      printf '%-12s %-20s %s\n' "$user" "$role" "${through#-}" | indented
    done
  tell "What that allows, as a service of the bank reads it from the store:"
  store "WITH RECURSIVE held (username, namespace, name) AS (
      SELECT username, role_namespace, role_name FROM v1_user_roles WHERE tenant_id = 'bank'
      UNION
      SELECT held.username, c.role_namespace, c.role_name FROM v1_role_composites AS c JOIN held
        ON c.tenant_id = 'bank' AND c.name = held.name AND c.namespace IS NOT DISTINCT FROM held.namespace
    )
    SELECT held.username AS username,
           $(joined "(SELECT replace($(joined value ' '), '*', 'ANY') FROM $(elements "$(member rule.value methods)")) || ' ' ||
                     (SELECT $(joined value ' ') FROM $(elements "$(member rule.value paths)"))" ';  ') AS may
    FROM held JOIN v1_roles AS r
      ON r.tenant_id = 'bank' AND r.name = held.name AND r.namespace IS NOT DISTINCT FROM held.namespace
      CROSS JOIN $(elements r.rules) AS rule
    GROUP BY 1 ORDER BY 1" | indented
}

show_grant() {
  tell "The call centre, a third team, may add its own people to the bank. It makes Erin a teller:"
  kubectl create namespace team-callcentre >/dev/null
  applied <<'YAML'
apiVersion: keyreeve.dev/v1alpha1
kind: User
metadata: {name: erin, namespace: team-callcentre}
spec:
  tenantRef: {name: bank, namespace: team-bank}
  roles: [{name: teller, namespace: team-bank}]
YAML
  awaited "a grant that is not allowed" is NotAllowed tusr erin team-callcentre
  tell "Who may hold a role is for the role's own team to say, and it has not:"
  says tusr erin team-callcentre
  expect "the roles that erin holds" 0 "$(fact "SELECT count(*) FROM v1_user_roles WHERE username = 'erin'")"
  tell "It does, and the wait is over at once:"
  shown kubectl patch trole teller --type merge -p '{"spec": {"allowedFrom": [{"matchNames": ["team-callcentre"]}]}}'
  ready tusr erin team-callcentre
  expect "the role that erin holds" accounts/teller \
    "$(fact "SELECT role_namespace || '/' || role_name FROM v1_user_roles WHERE username = 'erin'")"
}

show_drift() {
  tell "Ben finds a way into the store, and makes himself head of the bank:"
  if [ "$STORE" = keycloak ]; then
    shown kcadm.sh add-roles -r bank --uusername ben --rolename head
  else
    by_hand "INSERT INTO user_roles VALUES ('bank', 'ben', '', 'head')"
  fi
  expect "the roles that ben holds" 2 "$(fact "$BENS_ROLES")"
  tell "The next resync (asked for here; else every 10 minutes) takes it from him, and says so:"
  shown kubectl annotate tusr ben keyreeve.dev/reconcile=now
  show_event ben DriftCorrected
  expect "the roles that ben holds" 1 "$(fact "$BENS_ROLES")"
}

BENS_ROLES="SELECT count(*) FROM v1_user_roles WHERE tenant_id = 'bank' AND username = 'ben'"

# shellcheck shell=bash
# Part of the demo: what is deleted, and what is kept. Sourced by demo.sh.

show_deletion() {
  chapter "6. Deleting"
  tell "A deleted User is gone from the store, too. A tenant with all that is in it is kept there, unless its Tenant says deletionPolicy: Delete:"
  shown kubectl --namespace team-bakery delete tusr dario
  shown kubectl --namespace team-bakery delete tnt bakery
  expect "dario in the store" 0 "$(fact "SELECT count(*) FROM v1_users WHERE username = 'dario'")"
  expect "the bakery in the store" 1 "$(fact "SELECT count(*) FROM v1_tenants WHERE tenant_id = 'bakery'")"
  store "SELECT t.tenant_id, CASE WHEN t.enabled THEN 'yes' ELSE 'no' END AS enabled, (SELECT $(joined username ' ') FROM v1_users AS u WHERE u.tenant_id = t.tenant_id) AS users
    FROM v1_tenants AS t ORDER BY 1" | indented
}

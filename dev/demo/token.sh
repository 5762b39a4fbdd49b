# shellcheck shell=bash
# Part of the demo on Keycloak: what of all this stands in a token. Sourced by demo.sh.

show_token() {
  local shown_token name value
  chapter "7. A login, and what it says"
  tell "Ben becomes head of the bank after all, by those who may say so. Whoever is head is approver and teller, too:"
  shown kubectl patch tusr ben --type merge -p '{"spec": {"roles": [{"name": "head"}]}}'
  awaited "ben as head" has_role head
  tell "He logs in. His token verifies by the realm's JWKS, and says:"
  shown_token=$({
    realm_jwks
    bens_token
  } | jose show)
  grep -E '^(header\.|iss |sub |preferred_username |realm_access\.|resource_access\.ns:|claims\.)' <<<"$shown_token" |
    while read -r name value; do
      printf '    %-34s %s\n' "$name" "$value"
    done
  tell "It is signed with the key that is Active here, and for the id that is his here:"
  shown kubectl get tnt bank -o 'jsonpath={.status.keystore[?(@.state=="Active")].key.kid}{"\n"}'
  shown kubectl get tusr ben -o 'jsonpath={.status.id}{"\n"}'
  expect "the kid" "$(kid_of Active)" "$(said header.kid)"
  expect "the sub" "$(kubectl get tusr ben -o 'jsonpath={.status.id}')" "$(said sub)"
  expect "the preferred_username" ben "$(said preferred_username)"
  expect "the roles in accounts" teller "$(said resource_access.ns:accounts.roles)"
  expect "the roles in payments" approver "$(said resource_access.ns:payments.roles)"
  [[ " $(said realm_access.roles) " == *" head "* ]] || die "the realm's roles in the token should have head"
  expect "the claim branch.code" 0042 "$(said claims.branch.code)"
}

# said NAME: what the token says there.
said() {
  awk -v name="$1" '$1 == name { print substr($0, length(name) + 2) }' <<<"$shown_token"
}

has_role() {
  kubectl get tusr ben -o 'jsonpath={.status.roles[*].name}' | grep -qw "$1"
}

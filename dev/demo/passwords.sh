# shellcheck shell=bash
# Part of the demo: a password that is changed by editing its Secret. Sourced by demo.sh.

OLD=made-up-for-this-example-1 # as in examples/two-tenants/bank/users.yaml
NEW=another-made-up-one-2

# answer_to_ben PASSWORD: what an identity provider says: Keycloak itself, or one that goes by the hash in the store.
answer_to_ben() {
  if [ "$STORE" = keycloak ]; then
    login_answer ben "$1"
  else
    {
      fact "SELECT hash FROM v1_credentials WHERE tenant_id = 'bank' AND username = 'ben'"
      echo "$1"
    } | "$JOSE_PYTHON" dev/login.py 2>&1
  fi
}

# log_in PASSWORD ANSWER
log_in() {
  local answer
  answer=$(answer_to_ben "$1") || true
  printf '    ben logs in with %-28s %s\n' "$1" "$answer"
  expect "the answer to ben" "$2" "$answer"
}

bens_credential() {
  kubectl get tusr ben -o 'jsonpath={.status.credentials}'
}

has_new_credential() {
  [ "$(bens_credential)" != "$1" ]
}

show_passwords() {
  local before
  before=$(bens_credential)
  chapter "4. Passwords come from Secrets"
  tell "Ada's password was made by the operator, as the policy asks for it. Ben's stands in a Secret of his team:"
  shown kubectl get secrets
  tell "Status only says that there is one; the store has its hash. An identity provider goes by that:"
  printf '    status.credentials of ben: %s\n' "$before"
  if [ "$STORE" = keycloak ]; then
    make_counter
  fi
  log_in "$OLD" welcome
  tell "Somebody puts another password into the Secret, and not a good one:"
  shown kubectl patch secret ben-password -p '{"stringData": {"password": "secret"}}'
  awaited "a password that is rejected" is PasswordRejected tusr ben
  says tusr ben
  log_in "$OLD" welcome
  tell "A better one:"
  shown kubectl patch secret ben-password -p "{\"stringData\": {\"password\": \"$NEW\"}}"
  awaited "another password" has_new_credential "$before"
  ready tusr ben
  printf '    status.credentials of ben: %s\n' "$(bens_credential)"
  log_in "$OLD" "wrong password"
  log_in "$NEW" welcome
}

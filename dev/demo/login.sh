# shellcheck shell=bash
# Part of the demo on Keycloak: people log in there, and what they are given. Sourced by demo.sh.

# log_in_kcadm: lets Keycloak's own tool in, as the administrator.
log_in_kcadm() {
  KCADM_CONFIG=$KEYCLOAK_DIR/kcadm.config
  KC_CLI_PASSWORD=$(cat "$KEYCLOAK_DIR/admin.secret") kcadm.sh config credentials \
    --server "$KEYREEVE_TEST_KEYCLOAK" --realm master --user admin 2>"$KEYCLOAK_DIR/kcadm.log" ||
    die "the administrator cannot log in to Keycloak: $(tail -n 1 "$KEYCLOAK_DIR/kcadm.log")"
}

# As typed, this is Keycloak's tool.
kcadm.sh() {
  "$KEYCLOAK_HOME/bin/kcadm.sh" "$@" --config "$KCADM_CONFIG"
}

# make_counter: people log in by the client of an application, which is no business of the operator.
make_counter() {
  local client
  tell "People log in by a client, which whoever owns an application makes, and the operator leaves alone. The \
bank's counter has one here, to which a password can be handed directly, and which puts claims into tokens:"
  client=$(
    cat <<'JSON'
{"clientId": "counter", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": [
  {"name": "claims", "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-attribute-mapper",
   "config": {"user.attribute": "keyreeve.claims", "claim.name": "claims", "jsonType.label": "JSON",
              "access.token.claim": "true"}}]}
JSON
  )
  printf '$ kcadm.sh create clients -r bank -f - <<END\n%s\nEND\n' "$client"
  kcadm.sh create clients -r bank -f - <<<"$client" 2>&1
}

# --- logins -----------------------------------------------------------------------------------

# oidc PATH [CURL-FLAG…]: asks the bank's realm what anybody may.
oidc() {
  local path=$1
  shift
  curl --silent --show-error "$@" "$KEYREEVE_TEST_KEYCLOAK/realms/bank/protocol/openid-connect/$path"
}

# login USERNAME PASSWORD: what Keycloak says to it, as JSON.
login() {
  printf %s "$2" | oidc token --data grant_type=password --data client_id=counter --data scope=openid \
    --data-urlencode "username=$1" --data-urlencode password@-
}

# login_answer USERNAME PASSWORD: the same in a word.
login_answer() {
  local answer
  answer=$(login "$1" "$2")
  case $answer in
    *'"access_token"'*) echo welcome ;;
    *'"Invalid user credentials"'*) echo "wrong password" ;;
    *) echo "$answer" ;;
  esac
}

# bens_token: an access token, of the key that signs by what status tells.
bens_token() {
  local token
  awaited "a token of the Active key" is_signed_by_active
  echo "$token"
}

# It leaves the token to whoever asks.
is_signed_by_active() {
  token=$(login ben "$NEW" | first access_token)
  [ "$(jose kid <<<"$token")" = "$(kid_of Active)" ]
}

# --- keys -------------------------------------------------------------------------------------

realm_jwks() {
  oidc certs --fail
  echo
}

# realm_has_keys: whether these are the realm's keys, and no others.
realm_has_keys() {
  [ "$(realm_jwks | kids)" = "$(keyreeve jwks bank | kids)" ]
}

# kids: those of a JWKS, sorted.
kids() {
  grep -o '"kid": *"[^"]*"' | tr -d ' ' | sort
}

# shellcheck shell=bash
# Part of the demo: signing keys, by a library that is not Keyreeve's. Sourced by demo.sh.

# As typed, this is the operator's program.
keyreeve() {
  target/debug/keyreeve "$@"
}

# jose COMMAND: the part of an identity provider, and of those who trust it.
jose() {
  "$JOSE_PYTHON" dev/jose.py "$1"
}

# kid_of STATE: of the bank's keys.
kid_of() {
  kubectl get tnt bank -o "jsonpath={.status.keystore[?(@.state==\"$1\")].key.kid}"
}

has_key() {
  kid_of "$1" | grep -q .
}

# signed: a token of the key that signs now.
signed() {
  if [ "$STORE" = keycloak ]; then
    bens_token
  else
    kubectl --namespace keyreeve-system get secret keystore-bank -o json | jose sign
  fi
}

# jwks: the bank's public keys, where those who verify tokens get them.
jwks() {
  if [ "$STORE" = keycloak ]; then
    realm_jwks
  else
    keyreeve jwks bank
  fi
}

# in_store: returns once the store has the keys that status tells.
in_store() {
  if [ "$STORE" = keycloak ]; then
    awaited "the keys of the realm" realm_has_keys
  fi
}

# tried WHOSE TOKEN: says whether anybody who has the JWKS takes the token. The answer is its exit code, too.
tried() {
  local answer code=0
  answer=$({ jwks && echo "$2"; } | jose verify 2>&1) || code=1
  printf '    %-24s %s\n' "$1" "$answer"
  return $code
}

show_states() {
  kubectl get tnt bank -o go-template='{{range .status.keystore}}{{printf "    %s %-7s since %s\n" .key.kid .state (or .revokedAt .rotatedAt .activatedAt .createdAt)}}{{end}}'
}

show_keys() {
  chapter "5. Signing keys: made, rotated, revoked"
  tell "Each tenant has its own. Anybody may have their public halves:"
  shown keyreeve jwks bank
  TOKEN=$(signed)
  if [ "$STORE" = keycloak ]; then
    tell "Keycloak signs with the private half, which it got from the operator, when ben logs in; and anybody verifies by the realm's JWKS (by jwcrypto here, which knows nothing of either):"
  else
    tell "An identity provider signs with the private half, from a Secret out of the teams' reach, and anybody verifies (both by jwcrypto here, which knows nothing of Keyreeve):"
  fi
  tried "a token, ${TOKEN:0:12}…" "$TOKEN" || die "a token of the Active key should verify"
}

show_rotation() {
  local active
  active=$(kid_of Active)
  tell "A rotation is asked for. The next key is published, for 2 hours here, before it signs:"
  shown kubectl annotate tnt bank keyreeve.dev/rotate=now
  awaited "a Standby key" has_key Standby
  in_store
  show_states
  expect "the key that signs" "$active" "$(kid_of Active)"
  expect "the number of keys in the JWKS" 2 "$(jwks | grep -o '"kid"' | wc -l)"
}

show_takeover() {
  local old
  old=$(kid_of Active)
  tell "Three hours later (for the operator alone: it is started anew under a clock that is ahead):"
  # Not by the command faketime, which would stand between the operator and its signals.
  restart_operator env "LD_PRELOAD=$(faketime -f +0 printenv LD_PRELOAD)" FAKETIME=+3h
  awaited "a key that took over" has_key Retired
  in_store
  show_states
  expect "the key that signed" "$old" "$(kid_of Retired)"
  NEW_TOKEN=$(signed)
  tried "the token from before" "$TOKEN" || die "a token of a retired key should verify"
  tried "a new token" "$NEW_TOKEN" || die "a token of the key that took over should verify"
}

show_revocation() {
  local leaked
  leaked=$(kid_of Active)
  tell "That key leaks. It is revoked, and another one signs at once:"
  shown kubectl patch tnt bank --type merge -p "{\"spec\": {\"keystore\": {\"revoke\": [\"$leaked\"]}}}"
  awaited "a revoked key" has_key Revoked
  in_store
  show_states
  expect "the key that is revoked" "$leaked" "$(kid_of Revoked)"
  if tried "its token" "$NEW_TOKEN"; then
    die "a token of a revoked key should not verify"
  fi
  tried "the one before it" "$TOKEN" || die "a token of another key should verify all the same"
  tried "a new token" "$(signed)" || die "a token of the new key should verify"
  # Its clock is right again.
  restart_operator
}

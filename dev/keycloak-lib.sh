# shellcheck shell=bash
# Starts and stops a real Keycloak on a free port of loopback, with its database in memory. Used by
# with-keycloak.sh, test.sh, bench.sh and demo.sh. Sourced, never run; lib.sh and tools.sh must come first.
#
# What runs beside it finds in its environment:
#
#     KEYREEVE_TEST_KEYCLOAK                 its address, such as http://127.0.0.1:23456
#     KEYREEVE_TEST_KEYCLOAK_CLIENT_ID       the operator's client, with the fewest rights
#     KEYREEVE_TEST_KEYCLOAK_SECRET_FILE     the file with its secret
#     KEYREEVE_TEST_KEYCLOAK_HAND_ID         a client that may do everything: another hand
#     KEYREEVE_TEST_KEYCLOAK_HAND_FILE       the file with its secret

# More is not needed for some hundred realms, and a machine for tests has little.
KEYCLOAK_HEAP=${KEYCLOAK_HEAP:--Xms128m -Xmx768m -XX:TieredStopAtLevel=1}

# start_keycloak DIR [lasting]: returns at once, with the process id in KEYCLOAK_PID and the environment above.
# It ends with the script, however that ends, unless it is a lasting one.
start_keycloak() {
  local dir=$1 tie=(setpriv --pdeathsig TERM)
  [ "${2-}" != lasting ] || tie=()
  mkdir -p "$dir"
  dir=$(realpath "$dir")
  rm -f "$dir/ready" "$dir/failed"
  KEYCLOAK_PORT=$(free_port)
  KEYCLOAK_MANAGEMENT_PORT=$(free_port)
  export KEYREEVE_TEST_KEYCLOAK=http://127.0.0.1:$KEYCLOAK_PORT
  export KEYREEVE_TEST_KEYCLOAK_CLIENT_ID=keyreeve
  export KEYREEVE_TEST_KEYCLOAK_SECRET_FILE=$dir/keyreeve.secret
  export KEYREEVE_TEST_KEYCLOAK_HAND_ID=another-hand
  export KEYREEVE_TEST_KEYCLOAK_HAND_FILE=$dir/another-hand.secret
  (
    umask 077
    random >"$dir/admin.secret"
    random >"$KEYREEVE_TEST_KEYCLOAK_SECRET_FILE"
    random >"$KEYREEVE_TEST_KEYCLOAK_HAND_FILE"
  )
  # A session of its own, so that Ctrl-C goes to the script, which then stops it.
  KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=$(cat "$dir/admin.secret") \
    KC_HTTP_MANAGEMENT_HOST=127.0.0.1 JAVA_OPTS_KC_HEAP=$KEYCLOAK_HEAP \
    setsid "${tie[@]}" "$KEYCLOAK_HOME/bin/kc.sh" start --optimized \
    --http-enabled=true --http-host=127.0.0.1 --http-port="$KEYCLOAK_PORT" \
    --http-management-port="$KEYCLOAK_MANAGEMENT_PORT" --hostname-strict=false --log-level=warn \
    </dev/null >"$dir/keycloak.log" 2>&1 &
  KEYCLOAK_PID=$!
  KEYCLOAK_DIR=$dir
  {
    # In a shell of its own, whose end is noticed however it comes.
    if (set_up_keycloak) >"$dir/set-up.log" 2>&1; then
      touch "$dir/ready"
    else
      # Whoever stopped it may have taken the folder away.
      touch "$dir/failed" 2>/dev/null || true
    fi
  } &
}

# await_keycloak: returns once it is ready and the clients are made.
await_keycloak() {
  until [ -e "$KEYCLOAK_DIR/ready" ]; do
    if [ -e "$KEYCLOAK_DIR/failed" ] || ! kill -0 "$KEYCLOAK_PID" 2>/dev/null; then
      tail -n 20 "$KEYCLOAK_DIR/keycloak.log" "$KEYCLOAK_DIR/set-up.log" >&2
      die "Keycloak did not start; the reason stands above, all of it in $KEYCLOAK_DIR/keycloak.log"
    fi
    sleep 0.1
  done
}

# stop_keycloak: returns once it is gone, with all of its processes. Its database goes with it.
stop_keycloak() {
  local pid=${KEYCLOAK_PID-} tenths=0
  [ -n "$pid" ] || return 0
  KEYCLOAK_PID=
  # The script that starts Java passes the signal on. Java takes its time while it is starting.
  kill -TERM "$pid" 2>/dev/null || true
  while kill -0 -- "-$pid" 2>/dev/null; do
    if [ $((tenths += 1)) -gt 50 ]; then
      kill -KILL -- "-$pid" 2>/dev/null || true
    fi
    sleep 0.1
  done
}

# --- set-up -----------------------------------------------------------------------------------

# Makes the clients, as docs/stores-keycloak.md tells an administrator to.
set_up_keycloak() {
  local health=http://127.0.0.1:$KEYCLOAK_MANAGEMENT_PORT/health/ready
  until curl --silent --fail --output /dev/null "$health"; do
    kill -0 "$KEYCLOAK_PID" 2>/dev/null || return 1
    sleep 0.5
  done
  make_client "$KEYREEVE_TEST_KEYCLOAK_CLIENT_ID" "$KEYREEVE_TEST_KEYCLOAK_SECRET_FILE" create-realm
  make_client "$KEYREEVE_TEST_KEYCLOAK_HAND_ID" "$KEYREEVE_TEST_KEYCLOAK_HAND_FILE" admin
}

# make_client ID SECRET-FILE ROLE: a confidential client with a service account that has one role.
make_client() {
  local id=$1 secret=$2 role=$3 client account
  printf '{"clientId": "%s", "secret": "%s", "serviceAccountsEnabled": true, "standardFlowEnabled": false,
    "attributes": {"client.use.lightweight.access.token.enabled": "true"}}' "$id" "$(cat "$secret")" |
    as_admin POST clients
  client=$(as_admin GET "clients?clientId=$id" | first id)
  account=$(as_admin GET "clients/$client/service-account-user" | first id)
  printf '[%s]' "$(as_admin GET "roles/$role")" |
    as_admin POST "users/$account/role-mappings/realm"
}

# as_admin METHOD PATH: a request about the realm master; a body comes from standard input.
as_admin() {
  local method=$1 path=$2 token body=()
  if [ "$method" != GET ]; then
    body=(--json @-)
  fi
  token=$(curl --silent --show-error --fail --data grant_type=password --data client_id=admin-cli \
    --data username=admin --data-urlencode "password@$KEYCLOAK_DIR/admin.secret" \
    "$KEYREEVE_TEST_KEYCLOAK/realms/master/protocol/openid-connect/token" | first access_token)
  curl --silent --show-error --fail --request "$method" "${body[@]}" \
    --header @<(printf 'Authorization: Bearer %s' "$token") \
    "$KEYREEVE_TEST_KEYCLOAK/admin/realms/master/$path"
}

# first NAME: the first member of that name in the JSON from standard input, a string.
first() {
  grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d'"' -f4
}

# --- small things -----------------------------------------------------------------------------

random() {
  head -c 24 /dev/urandom | base64 | tr -d '/+=\n'
}

# A port of loopback on which nobody listens now.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    :
  done
  echo "$port"
}

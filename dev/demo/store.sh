# shellcheck shell=bash
# The identity store of the demo: SQLite, or PostgreSQL with STORE=postgres, or Keycloak with STORE=keycloak.
# What the story shows of it is the same. Sourced by demo.sh.

# tools_store: what the machine must have for it.
tools_store() {
  case $STORE in
    sqlite) tools_sqlite3 ;;
    postgres)
      tools_postgres
      PATH=$POSTGRES_BIN:$PATH
      ;;
    keycloak)
      tools_keycloak
      tools_sqlite3
      ;;
  esac
}

# begin_store DIR: what takes long begins beside the build and the start of the cluster.
begin_store() {
  # shellcheck disable=SC2034 # demo.sh uses it
  STORE_STEP="Starting the store"
  if [ "$STORE" = keycloak ]; then
    say "Keycloak $KEYCLOAK_VERSION starts beside what follows"
    start_keycloak "$1/keycloak" ${KEEP:+lasting}
    # shellcheck disable=SC2034 # demo.sh uses it
    STORE_STEP="Waiting for Keycloak, which takes about a minute on two cores"
  fi
}

# start_store DIR: STORE_FLAGS are those of the operator then. STORE_SHELL is what people type to look into a
# database.
start_store() {
  case $STORE in
    sqlite)
      STORE_FILE=$1/keyreeve.db
      # shellcheck disable=SC2034 # demo.sh uses it
      STORE_FLAGS=(--store "sqlite:$STORE_FILE")
      STORE_SHELL=(sqlite3 "$STORE_FILE")
      ;;
    postgres)
      if [ -n "${KEEP-}" ]; then
        start_lasting_postgres "$1/postgres"
      else
        start_postgres "$1/postgres"
      fi
      STORE_SHELL=(psql --no-psqlrc --quiet --username=postgres --host="${POSTGRES_ADDRESS%:*}" --port="${POSTGRES_ADDRESS#*:}")
      # As docs/stores.md says: a role of its own, which owns the database.
      "${STORE_SHELL[@]}" --command="CREATE ROLE keyreeve LOGIN PASSWORD 'of-the-demo'" --command="CREATE DATABASE keyreeve OWNER keyreeve"
      STORE_SHELL+=(--dbname=keyreeve)
      (umask 077 && echo keyreeve >"$1/username" && echo of-the-demo >"$1/password")
      # shellcheck disable=SC2034
      STORE_FLAGS=(--store "postgres://$POSTGRES_ADDRESS/keyreeve" --store-username-file "$1/username" --store-password-file "$1/password")
      ;;
    keycloak)
      await_keycloak
      # A copy in the form of the views v1_*, which is made anew for each question.
      STORE_FILE=$1/keycloak/realms.db
      # shellcheck disable=SC2034
      STORE_FLAGS=(--store "keycloak+$KEYREEVE_TEST_KEYCLOAK" --store-password-file "$KEYREEVE_TEST_KEYCLOAK_SECRET_FILE")
      log_in_kcadm
      ;;
  esac
}

# stop_store: returns once it is gone.
stop_store() {
  stop_postgres
  stop_keycloak
}

# store_pid: the process of a store that is a server.
store_pid() {
  echo "${POSTGRES_SERVER_PID-}${KEYCLOAK_PID-}"
}

# store_hints: how people look into what was left running.
store_hints() {
  case $STORE in
    keycloak)
      echo "$KEYCLOAK_HOME/bin/kcadm.sh get users -r bank --config \"$KCADM_CONFIG\"    # logged in for half an hour"
      echo "cat \"$KEYCLOAK_DIR/admin.secret\"    # the password of admin at $KEYREEVE_TEST_KEYCLOAK/admin/"
      ;;
    *) echo "${STORE_SHELL[*]} <<<'SELECT * FROM v1_users;'" ;;
  esac
}

# tell_what_differs: what the story cannot show of this store as of the others.
tell_what_differs() {
  if [ "$STORE" = keycloak ]; then
    tell "The store is Keycloak, which is two things at once: it keeps all this, and people log in there. It \
imports no keys of elliptic curves, so the plans say RS256 here, not ES256; and it has no tables to ask, so what \
the tables here show is read by its Admin API. Settings that nobody set and that it has in its own way stay its \
own (in status.effective.sources their source is Store)."
  fi
}

# store QUERY: asks the store, as an identity provider would: read-only, by the views v1_*.
store() {
  case $STORE in
    sqlite) sqlite3 -readonly -header -column "$STORE_FILE" "$1" ;;
    keycloak)
      python3 dev/realms.py "$STORE_FILE"
      sqlite3 -readonly -header -column "$STORE_FILE" "$1"
      ;;
    postgres) read_only "${STORE_SHELL[@]}" --pset=border=0 --pset=footer=off --command="$1" | sed '/^$/d' ;;
  esac
}

# fact QUERY: one value of the store.
fact() {
  case $STORE in
    sqlite) sqlite3 -readonly "$STORE_FILE" "$1" ;;
    keycloak)
      python3 dev/realms.py "$STORE_FILE"
      sqlite3 -readonly "$STORE_FILE" "$1"
      ;;
    postgres) read_only "${STORE_SHELL[@]}" --tuples-only --no-align --command="$1" ;;
  esac
}

read_only() {
  PGOPTIONS='-c default_transaction_read_only=on' "$@"
}

# by_hand STATEMENT: prints and runs it, as somebody who found a way into the database.
by_hand() {
  case $STORE in
    sqlite)
      printf '$ sqlite3 keyreeve.db "%s"\n' "$1"
      sqlite3 "$STORE_FILE" "PRAGMA foreign_keys = ON; $1"
      ;;
    postgres)
      printf '$ psql keyreeve -c "%s"\n' "$1"
      "${STORE_SHELL[@]}" --command="$1"
      ;;
  esac
}

# The two dialects have their own words for lists.
# joined EXPRESSION SEPARATOR: the values of a group in one text (SQLite: as it finds them, which is by key).
joined() {
  case $STORE in
    sqlite | keycloak) echo "group_concat($1, '$2')" ;;
    postgres) echo "string_agg($1, '$2' ORDER BY $1)" ;;
  esac
}

# elements JSON: a table of the texts in a JSON list, in its column `value`.
elements() {
  case $STORE in
    sqlite | keycloak) echo "json_each($1)" ;;
    postgres) echo "json_array_elements_text(($1)::json)" ;;
  esac
}

# member JSON NAME: a member of a JSON object, as JSON.
member() {
  case $STORE in
    sqlite | keycloak) echo "json_extract($1, '\$.$2')" ;;
    postgres) echo "(($1)::json -> '$2')" ;;
  esac
}

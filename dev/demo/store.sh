# shellcheck shell=bash
# The identity store of the demo: SQLite, or PostgreSQL with STORE=postgres. What the story shows of it is
# the same. Sourced by demo.sh.

# start_store DIR: STORE_FLAGS are those of the operator then, and STORE_SHELL is what people type to look into it.
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
  esac
}

# store QUERY: asks the store, as an identity provider would: read-only, by the views v1_*.
store() {
  case $STORE in
    sqlite) sqlite3 -readonly -header -column "$STORE_FILE" "$1" ;;
    postgres) read_only "${STORE_SHELL[@]}" --pset=border=0 --pset=footer=off --command="$1" | sed '/^$/d' ;;
  esac
}

# fact QUERY: one value of the store.
fact() {
  case $STORE in
    sqlite) sqlite3 -readonly "$STORE_FILE" "$1" ;;
    postgres) read_only "${STORE_SHELL[@]}" --tuples-only --no-align --command="$1" ;;
  esac
}

read_only() {
  PGOPTIONS='-c default_transaction_read_only=on' "$@"
}

# by_hand STATEMENT: prints and runs it, as somebody who found a way into the store.
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
    sqlite) echo "group_concat($1, '$2')" ;;
    postgres) echo "string_agg($1, '$2' ORDER BY $1)" ;;
  esac
}

# elements JSON: a table of the texts in a JSON list, in its column `value`.
elements() {
  case $STORE in
    sqlite) echo "json_each($1)" ;;
    postgres) echo "json_array_elements_text(($1)::json)" ;;
  esac
}

# member JSON NAME: a member of a JSON object, as JSON.
member() {
  case $STORE in
    sqlite) echo "json_extract($1, '\$.$2')" ;;
    postgres) echo "(($1)::json -> '$2')" ;;
  esac
}

"""Copies what stands in Keycloak into a new SQLite file, in the form of the views that the SQL stores have
(docs/store-schema.md), for the demo, which asks every store the same questions. Only what it asks for is
copied. It reads as an administrator, by the Admin REST API; what to reach and how stands in the
environment (dev/keycloak-lib.sh).

    realms.py DATABASE
"""

import json
import os
import pathlib
import sqlite3
import sys
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

ADDRESS = os.environ["KEYREEVE_TEST_KEYCLOAK"]
NAMESPACE = "ns:"  # what the id of a Namespace's client begins with
ALL = 10_000

TABLES = """
    CREATE TABLE v1_tenants (tenant_id, enabled);
    CREATE TABLE v1_roles (tenant_id, namespace, name, rules);
    CREATE TABLE v1_role_composites (tenant_id, namespace, name, role_namespace, role_name);
    CREATE TABLE v1_users (tenant_id, username);
    CREATE TABLE v1_user_roles (tenant_id, username, role_namespace, role_name);
"""


def answer(request):
    with urlopen(request, timeout=30) as response:
        return json.load(response)


def log_in():
    secret = pathlib.Path(os.environ["KEYREEVE_TEST_KEYCLOAK_HAND_FILE"]).read_text().strip()
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["KEYREEVE_TEST_KEYCLOAK_HAND_ID"],
        "client_secret": secret,
    }
    place = f"{ADDRESS}/realms/master/protocol/openid-connect/token"
    return answer(Request(place, urlencode(form).encode()))["access_token"]


TOKEN = log_in()


def get(*path, **query):
    place = "/".join([f"{ADDRESS}/admin/realms", *(quote(part, safe="") for part in path)])
    place = f"{place}?{urlencode(query)}"
    return answer(Request(place, headers={"Authorization": f"Bearer {TOKEN}"}))


def roles_of(realm):
    """The roles that the operator manages, by Keycloak's id: others are no part of what it tells."""
    roles = {}
    places = [(None, ("roles",))]
    for client in get(realm, "clients", max=ALL):
        if client["clientId"].startswith(NAMESPACE):
            namespace = client["clientId"].removeprefix(NAMESPACE)
            places.append((namespace, ("clients", client["id"], "roles")))
    for namespace, place in places:
        for role in get(realm, *place, briefRepresentation="false", max=ALL):
            if "keyreeve.mark" in role["attributes"]:
                roles[role["id"]] = (namespace, role)
    return roles


def copy(realm, database):
    def insert(table, rows):
        # As the SQL stores do, by key, and what is of the whole tenant first.
        for row in sorted(rows, key=lambda row: [value or "" for value in row]):
            marks = ", ".join("?" * (len(row) + 1))
            database.execute(f"INSERT INTO {table} VALUES ({marks})", (realm, *row))

    roles = roles_of(realm)

    def known(some):
        return [(roles[role["id"]][0], role["name"]) for role in some if role["id"] in roles]

    insert(
        "v1_roles",
        [
            (namespace, role["name"], "".join(role["attributes"].get("keyreeve.rules", ["[]"])))
            for namespace, role in roles.values()
        ],
    )
    insert(
        "v1_role_composites",
        [
            (namespace, role["name"], *contained)
            for id, (namespace, role) in roles.items()
            for contained in known(get(realm, "roles-by-id", id, "composites"))
        ],
    )
    users = get(realm, "users", briefRepresentation="true", max=ALL)
    insert("v1_users", [(user["username"],) for user in users])
    held = []
    for user in users:
        mappings = get(realm, "users", user["id"], "role-mappings")
        some = mappings.get("realmMappings", [])
        for client in mappings.get("clientMappings", {}).values():
            some = some + client["mappings"]
        held += [(user["username"], *role) for role in known(some)]
    insert("v1_user_roles", held)


def main(path):
    pathlib.Path(path).unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        database.executescript(TABLES)
        for realm in sorted(get(), key=lambda realm: realm["realm"]):
            if realm["realm"] != "master":
                database.execute(
                    "INSERT INTO v1_tenants VALUES (?, ?)", (realm["realm"], realm["enabled"])
                )
                copy(realm["realm"], database)


main(sys.argv[1])

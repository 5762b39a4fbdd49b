-- Tenants and what lives in them. The views v1_* at the end are the contract with
-- identity providers (docs/store-schema.md); the tables behind them are not.
--
-- The same text runs on SQLite and PostgreSQL. Times are RFC 3339, JSON is text.
-- `mark_*` say whose a row is (all NULL: made by hand), `memo` is the operator's
-- note, `digest` is that of the row as the operator wrote it last.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE tenants (
    tenant_id      TEXT NOT NULL PRIMARY KEY CHECK (tenant_id <> ''),
    short_id       TEXT NOT NULL DEFAULT '',
    display_name   TEXT,
    type           TEXT,
    region         TEXT,
    domain         TEXT,
    enabled        BOOLEAN NOT NULL DEFAULT FALSE,
    suspended      BOOLEAN NOT NULL DEFAULT FALSE,
    organization   TEXT NOT NULL DEFAULT '{}',
    settings       TEXT NOT NULL DEFAULT '{}',
    keystore       TEXT NOT NULL DEFAULT '{}',
    subscription   TEXT NOT NULL DEFAULT '{}',
    mark_owner     TEXT,
    mark_kind      TEXT,
    mark_namespace TEXT,
    mark_name      TEXT,
    mark_uid       TEXT,
    memo           TEXT,
    digest         TEXT,
    created_at     TEXT,
    updated_at     TEXT
);

CREATE TABLE namespaces (
    tenant_id      TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    name           TEXT NOT NULL CHECK (name <> ''),
    description    TEXT,
    mark_owner     TEXT,
    mark_kind      TEXT,
    mark_namespace TEXT,
    mark_name      TEXT,
    mark_uid       TEXT,
    memo           TEXT,
    digest         TEXT,
    created_at     TEXT,
    updated_at     TEXT,
    PRIMARY KEY (tenant_id, name)
);

-- A tenant-wide role has the namespace '', because a key has no NULL;
-- namespace_ref is the same for the foreign key, which has.
CREATE TABLE roles (
    tenant_id          TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    namespace          TEXT NOT NULL DEFAULT '',
    namespace_ref      TEXT GENERATED ALWAYS AS (NULLIF(namespace, '')) STORED,
    name               TEXT NOT NULL CHECK (name <> ''),
    description        TEXT,
    administrator      BOOLEAN NOT NULL DEFAULT FALSE,
    rules              TEXT NOT NULL DEFAULT '[]',
    managed_composites TEXT,
    mark_owner         TEXT,
    mark_kind          TEXT,
    mark_namespace     TEXT,
    mark_name          TEXT,
    mark_uid           TEXT,
    memo               TEXT,
    digest             TEXT,
    created_at         TEXT,
    updated_at         TEXT,
    PRIMARY KEY (tenant_id, namespace, name),
    FOREIGN KEY (tenant_id, namespace_ref) REFERENCES namespaces (tenant_id, name) ON DELETE CASCADE
);
CREATE INDEX roles_by_namespace ON roles (tenant_id, namespace_ref);

CREATE TABLE role_composites (
    tenant_id      TEXT NOT NULL,
    namespace      TEXT NOT NULL DEFAULT '',
    name           TEXT NOT NULL,
    role_namespace TEXT NOT NULL DEFAULT '',
    role_name      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, namespace, name, role_namespace, role_name),
    FOREIGN KEY (tenant_id, namespace, name) REFERENCES roles (tenant_id, namespace, name) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role_namespace, role_name) REFERENCES roles (tenant_id, namespace, name) ON DELETE CASCADE
);
CREATE INDEX role_composites_by_role ON role_composites (tenant_id, role_namespace, role_name);

CREATE TABLE users (
    tenant_id                TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    username                 TEXT NOT NULL CHECK (username <> ''),
    id                       TEXT NOT NULL,
    email                    TEXT,
    email_verified           BOOLEAN NOT NULL DEFAULT FALSE,
    first_name               TEXT,
    last_name                TEXT,
    enabled                  BOOLEAN NOT NULL DEFAULT FALSE,
    claims                   TEXT NOT NULL DEFAULT '{}',
    authentication_providers TEXT NOT NULL DEFAULT '[]',
    required_actions         TEXT NOT NULL DEFAULT '[]',
    managed_roles            TEXT,
    mark_owner               TEXT,
    mark_kind                TEXT,
    mark_namespace           TEXT,
    mark_name                TEXT,
    mark_uid                 TEXT,
    memo                     TEXT,
    digest                   TEXT,
    created_at               TEXT,
    updated_at               TEXT,
    PRIMARY KEY (tenant_id, username),
    UNIQUE (tenant_id, id)
);

CREATE TABLE user_roles (
    tenant_id      TEXT NOT NULL,
    username       TEXT NOT NULL,
    role_namespace TEXT NOT NULL DEFAULT '',
    role_name      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, username, role_namespace, role_name),
    FOREIGN KEY (tenant_id, username) REFERENCES users (tenant_id, username) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, role_namespace, role_name) REFERENCES roles (tenant_id, namespace, name) ON DELETE CASCADE
);
CREATE INDEX user_roles_by_role ON user_roles (tenant_id, role_namespace, role_name);

CREATE VIEW v1_tenants AS
    SELECT tenant_id, short_id, display_name, type, region, domain, enabled, suspended,
           organization, settings, keystore, subscription, created_at, updated_at
    FROM tenants;

CREATE VIEW v1_namespaces AS
    SELECT tenant_id, name, description, created_at, updated_at
    FROM namespaces;

CREATE VIEW v1_roles AS
    SELECT tenant_id, namespace_ref AS namespace, name, description, administrator, rules, created_at, updated_at
    FROM roles;

CREATE VIEW v1_role_composites AS
    SELECT tenant_id, NULLIF(namespace, '') AS namespace, name,
           NULLIF(role_namespace, '') AS role_namespace, role_name
    FROM role_composites;

CREATE VIEW v1_users AS
    SELECT tenant_id, username, id, email, email_verified, first_name, last_name, enabled,
           claims, authentication_providers, required_actions, created_at, updated_at
    FROM users;

CREATE VIEW v1_user_roles AS
    SELECT tenant_id, username, NULLIF(role_namespace, '') AS role_namespace, role_name
    FROM user_roles;

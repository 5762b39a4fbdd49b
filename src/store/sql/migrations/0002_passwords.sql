-- Passwords of users with those that they had before, and the form in which email
-- addresses are compared.

ALTER TABLE users ADD COLUMN email_key TEXT;
CREATE UNIQUE INDEX users_by_email_key ON users (tenant_id, email_key);
-- To find those with an address of which nobody said how it is compared, and those that count against a plan's limit.
CREATE INDEX users_without_email_key ON users (tenant_id, email_key, email) WHERE email IS NOT NULL AND email_key IS NULL;
CREATE INDEX users_by_mark ON users (tenant_id, mark_owner);

-- What a user can log in with. The hash says by which algorithm it is made, and with which
-- parameters; `algorithm` is its name for people.
CREATE TABLE user_credentials (
    tenant_id  TEXT NOT NULL,
    username   TEXT NOT NULL,
    type       TEXT NOT NULL DEFAULT 'password',
    algorithm  TEXT,
    hash       TEXT NOT NULL,
    created_at TEXT,
    PRIMARY KEY (tenant_id, username, type),
    FOREIGN KEY (tenant_id, username) REFERENCES users (tenant_id, username) ON DELETE CASCADE
);

-- Passwords that a user had: the higher the number, the younger. Numbers are not kept.
CREATE TABLE user_former_passwords (
    tenant_id  TEXT NOT NULL,
    username   TEXT NOT NULL,
    number     INTEGER NOT NULL,
    algorithm  TEXT,
    hash       TEXT NOT NULL,
    created_at TEXT,
    PRIMARY KEY (tenant_id, username, number),
    FOREIGN KEY (tenant_id, username) REFERENCES users (tenant_id, username) ON DELETE CASCADE
);

DROP VIEW v1_users;
CREATE VIEW v1_users AS
    SELECT tenant_id, username, id, email, email_verified, first_name, last_name, enabled,
           claims, authentication_providers, required_actions, created_at, updated_at, email_key
    FROM users;

CREATE VIEW v1_credentials AS
    SELECT tenant_id, username, type, algorithm, hash, created_at
    FROM user_credentials;

CREATE VIEW v1_former_passwords AS
    SELECT tenant_id, username, number, algorithm, hash, created_at
    FROM user_former_passwords;

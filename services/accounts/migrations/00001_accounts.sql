-- +goose Up

-- Tenants. The name is unique among all of them: operators name accounts by it.
CREATE TABLE accounts (
    account_id          uuid        PRIMARY KEY,
    name                text        COLLATE "C" NOT NULL CONSTRAINT accounts_name_unique UNIQUE,
    country             text        NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    package             bigint      NOT NULL CHECK (package >= 0),
    recipients          text[]      NOT NULL,
    raw_days            integer     NOT NULL CHECK (raw_days BETWEEN 1 AND 3650),
    result_days         integer     NOT NULL CHECK (result_days BETWEEN 1 AND 3650),
    bad_cell            text        NOT NULL CHECK (bad_cell IN ('reject-row', 'drop-cell')),
    unknown_to_provider text        NOT NULL CHECK (unknown_to_provider IN ('add', 'keep-out')),
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$')
);

-- API keys, by the hash of their secret. Operators' keys belong to no account: they are kept under the reserved id
-- 00000000-0000-0000-0000-000000000001.
CREATE TABLE api_keys (
    account_id uuid        NOT NULL,
    key_id     uuid        NOT NULL,
    secret_sha256 bytea    NOT NULL CHECK (octet_length(secret_sha256) = 32),
    role       text        NOT NULL CHECK (role IN ('submitter', 'admin', 'operator')),
    name       text        NOT NULL CHECK (char_length(name) <= 100),
    email      text        NOT NULL CHECK (char_length(email) <= 254),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    tenant     uuid        GENERATED ALWAYS AS (nullif(account_id, '00000000-0000-0000-0000-000000000001'::uuid)) STORED
                           REFERENCES accounts (account_id),
    PRIMARY KEY (account_id, key_id),
    CHECK ((role = 'operator') = (account_id = '00000000-0000-0000-0000-000000000001'::uuid))
);
-- a caller sends the key's id, from which its account is found
CREATE UNIQUE INDEX api_keys_key_id ON api_keys (key_id);

-- Who changed what. Rows are only ever added; details name fields, never their values.
CREATE TABLE audit (
    account_id uuid        NOT NULL,
    audit_id   uuid        NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_role text        NOT NULL,
    actor_key  uuid        NOT NULL,
    action     text        NOT NULL,
    object_id  uuid        NOT NULL,
    fields     text[]      NOT NULL,
    PRIMARY KEY (account_id, audit_id)
);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON accounts TO accounts_all USING (true);

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_keys USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON api_keys TO accounts_all USING (true);

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON audit TO accounts_all USING (true);

GRANT SELECT, INSERT ON accounts TO accounts;
GRANT UPDATE (country, package, recipients, raw_days, result_days, bad_cell, unknown_to_provider) ON accounts TO accounts;
GRANT SELECT, INSERT ON api_keys TO accounts;
GRANT UPDATE (revoked_at) ON api_keys TO accounts;
GRANT SELECT, INSERT ON audit TO accounts;

-- across accounts there is nothing to do but to look
GRANT SELECT ON accounts, api_keys TO accounts_all;

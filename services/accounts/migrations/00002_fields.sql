-- +goose Up

-- The charset of text files that are neither UTF-8 nor UTF-16, by the name the web has for it; empty: windows-1252.
ALTER TABLE accounts ADD COLUMN legacy_encoding text COLLATE "C" NOT NULL DEFAULT '' CHECK (legacy_encoding ~ '^([a-z0-9][a-z0-9_-]{0,39})?$');
GRANT UPDATE (legacy_encoding) ON accounts TO accounts;

-- Fields of the accounts' own. Rows stay when a field is retired: values, journals and keyed hashes elsewhere are kept
-- under its number and its key, so neither is ever given to another field.
CREATE TABLE fields (
    account_id uuid        NOT NULL REFERENCES accounts (account_id),
    number     integer     NOT NULL CHECK (number BETWEEN 256 AND 65535),
    name       text        COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9]*(_[a-z0-9]+)*$' AND char_length(name) <= 63),
    label      text        NOT NULL CHECK (char_length(label) BETWEEN 1 AND 200),
    type       text        NOT NULL CHECK (type IN ('text', 'number', 'date', 'boolean', 'criterion', 'criteria', 'authorisation', 'secret')),
    required   boolean     NOT NULL,
    key        smallint    CHECK (key BETWEEN 8 AND 15),
    max_length integer     NOT NULL CHECK (max_length BETWEEN 0 AND 10000),
    headings   text[]      NOT NULL CHECK (cardinality(headings) <= 50),
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    PRIMARY KEY (account_id, number),
    CHECK (key IS NULL OR type IN ('text', 'number', 'date')),
    CHECK ((max_length > 0) = (type IN ('text', 'secret')))
);
CREATE UNIQUE INDEX fields_name ON fields (account_id, name) WHERE retired_at IS NULL;
CREATE UNIQUE INDEX fields_key ON fields (account_id, key) WHERE key IS NOT NULL;

-- Code books. A code is never taken out of its book, for contacts have it: it is retired. That no two codes or labels of
-- a book differ by case or accents alone is seen to under the lock of the account's row.
CREATE TABLE codes (
    account_id uuid    NOT NULL,
    number     integer NOT NULL,
    code       text    COLLATE "C" NOT NULL CHECK (char_length(code) BETWEEN 1 AND 64),
    label      text    NOT NULL CHECK (char_length(label) BETWEEN 1 AND 200),
    position   integer NOT NULL CHECK (position BETWEEN 1 AND 10000),
    retired    boolean NOT NULL,
    PRIMARY KEY (account_id, number, code),
    FOREIGN KEY (account_id, number) REFERENCES fields (account_id, number),
    UNIQUE (account_id, number, position)
);

ALTER TABLE fields ENABLE ROW LEVEL SECURITY;
ALTER TABLE fields FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON fields USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);

ALTER TABLE codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE codes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON codes USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);

-- nobody asks for fields or codes across accounts: there is no policy and no grant for accounts_all
GRANT SELECT, INSERT ON fields TO accounts;
GRANT UPDATE (label, required, max_length, headings, retired_at) ON fields TO accounts;
GRANT SELECT, INSERT ON codes TO accounts;
GRANT UPDATE (label, retired) ON codes TO accounts;

-- +goose Up
ALTER TABLE jobs ADD file jsonb; -- what the file turned out to be
ALTER TABLE jobs ADD unknown_values jsonb; -- that no code book has

-- The own fields of an account that jobs go by, once for all jobs with the same ones.
CREATE TABLE frozen_fields (
    account_id uuid  NOT NULL,
    hash       text  NOT NULL CHECK (octet_length(hash) = 64),
    fields     bytea NOT NULL,
    PRIMARY KEY (account_id, hash)
);

-- What people said of files with the same columns.
CREATE TABLE remembered (
    account_id   uuid        NOT NULL,
    headings_key bytea       NOT NULL CHECK (octet_length(headings_key) = 32),
    mapping      jsonb       NOT NULL,
    date_order   text        NOT NULL,
    values       jsonb       NOT NULL,
    used_at      timestamptz NOT NULL,
    PRIMARY KEY (account_id, headings_key)
);
CREATE INDEX remembered_used ON remembered (account_id, used_at);

ALTER TABLE frozen_fields ENABLE ROW LEVEL SECURITY;
ALTER TABLE frozen_fields FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON frozen_fields USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON frozen_fields TO ingest_all USING (true);
ALTER TABLE remembered ENABLE ROW LEVEL SECURITY;
ALTER TABLE remembered FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON remembered USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON remembered TO ingest_all USING (true);

GRANT SELECT, INSERT, DELETE ON frozen_fields TO ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON remembered TO ingest;
GRANT SELECT (account_id, hash) ON frozen_fields TO ingest_all;

-- +goose Down
DROP TABLE remembered, frozen_fields;
ALTER TABLE jobs DROP unknown_values, DROP file;

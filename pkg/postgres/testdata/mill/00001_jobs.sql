-- +goose Up
CREATE TABLE job (
    account_id uuid NOT NULL,
    id         uuid NOT NULL,
    name       text NOT NULL CONSTRAINT job_name_short CHECK (length(name) < 20),
    done       date,
    PRIMARY KEY (account_id, id),
    CONSTRAINT job_name_once UNIQUE (account_id, name)
);
ALTER TABLE job ENABLE ROW LEVEL SECURITY;
ALTER TABLE job FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON job USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON job TO mill_all USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON job TO mill, mill_hand, mill_all;

-- +goose Down
DROP TABLE job;

-- +goose Up

-- A delivery is one mail about a job to one recipient. It is written before the mail is sent; its message id never
-- changes, so that a mail sent twice, which SMTP cannot rule out, is recognised as one.
CREATE TABLE deliveries (
    account_id uuid        NOT NULL,
    job_id     uuid        NOT NULL,
    notice     text        NOT NULL, -- what it is about: ended, or a question
    recipient  text        NOT NULL COLLATE "C",
    message_id text        NOT NULL COLLATE "C",
    state      text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'sent', 'refused')),
    attempts   integer     NOT NULL DEFAULT 0,
    last_code  text        NOT NULL DEFAULT '', -- why the last attempt failed
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    PRIMARY KEY (account_id, job_id, notice, recipient),
    CHECK ((ended_at IS NULL) = (state IN ('pending', 'sending')))
);

ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON deliveries USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON deliveries TO email_all USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO email;
GRANT SELECT, DELETE ON deliveries TO email_all;

-- +goose Down
DROP TABLE deliveries;

-- +goose Up
ALTER TABLE jobs
    ADD headings_key bytea CHECK (octet_length(headings_key) = 32), -- of its file's columns, once validated
    ADD like_number bigint,        -- the job, by number, whose file's columns are the same or most alike
    ADD shares jsonb,              -- by unique key, how many rows have it and how many found a contact by it
    ADD forecast jsonb,            -- what it would cost
    ADD cost jsonb,                -- what the provider charged
    ADD plan jsonb,                -- object and counts
    ADD approved_by text,
    ADD corrects uuid,             -- the job whose report, corrected, its file is
    ADD corrects_number bigint,    -- of that job
    ADD forecast_of uuid,          -- the job that it forecasts
    ADD forecast_of_number bigint, -- of that job
    ADD enriched_later bigint NOT NULL DEFAULT 0 CHECK (enriched_later >= 0);
ALTER TABLE jobs
    ADD CONSTRAINT jobs_plan CHECK (plan IS NOT NULL OR approved_by IS NULL AND state <> 'AWAITING_APPROVAL'),
    -- Nothing is spent or changed before the plan was approved.
    ADD CONSTRAINT jobs_review CHECK (approved_by IS NOT NULL OR check_only OR NOT coalesce((settings ->> 'review')::boolean, false)
        OR state NOT IN ('ENRICHING', 'MERGING', 'COMMITTING', 'COMPLETED', 'COMPLETED_WITH_REJECTS')),
    ADD CONSTRAINT jobs_links CHECK (num_nulls(corrects, corrects_number) IN (0, 2) AND num_nulls(forecast_of, forecast_of_number) IN (0, 2)
        AND (forecast_of IS NULL OR check_only AND kind = 'import') AND (corrects IS NULL OR kind = 'import'));

ALTER TABLE stages DROP CONSTRAINT stages_notice_check, ADD CONSTRAINT stages_notice_check CHECK (notice IN ('', 'ended', 'question', 'approval'));

-- The columns of files that were imported, and what the last import of such a file found.
CREATE TABLE seen_files (
    account_id   uuid        NOT NULL,
    headings_key bytea       NOT NULL CHECK (octet_length(headings_key) = 32),
    columns      jsonb       NOT NULL,
    shares       jsonb       NOT NULL,
    job_number   bigint      NOT NULL, -- the last that imported such a file
    first_number bigint      NOT NULL, -- the first
    used_at      timestamptz NOT NULL,
    PRIMARY KEY (account_id, headings_key)
);
CREATE INDEX seen_files_used ON seen_files (account_id, used_at);

ALTER TABLE seen_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE seen_files FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON seen_files USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON seen_files TO ingest_all USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON seen_files TO ingest;

-- +goose Down
DROP TABLE seen_files;
ALTER TABLE stages DROP CONSTRAINT stages_notice_check, ADD CONSTRAINT stages_notice_check CHECK (notice IN ('', 'ended', 'question'));
ALTER TABLE jobs DROP CONSTRAINT jobs_links, DROP CONSTRAINT jobs_review, DROP CONSTRAINT jobs_plan, DROP enriched_later, DROP forecast_of_number,
    DROP forecast_of, DROP corrects_number, DROP corrects, DROP approved_by, DROP plan, DROP cost, DROP forecast, DROP shares, DROP like_number, DROP headings_key;

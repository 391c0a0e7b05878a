-- +goose Up
-- One growing sequence of fencing tokens for all accounts; taken only under the lock on a row of queues.
CREATE SEQUENCE tokens;
GRANT USAGE ON SEQUENCE tokens TO ingest;

-- The account's row: every change of a job locks it first.
CREATE TABLE queues (
    account_id  uuid   NOT NULL PRIMARY KEY,
    last_number bigint NOT NULL DEFAULT 0,
    last_event  bigint NOT NULL DEFAULT 0,
    row_pace    double precision, -- rows a second of recent jobs, from turn to end
    job_seconds double precision  -- seconds of recent jobs, from turn to end
);

CREATE TABLE jobs (
    account_id        uuid        NOT NULL,
    job_id            uuid        NOT NULL,
    number            bigint      NOT NULL,
    state             text        NOT NULL,
    check_only        boolean     NOT NULL,
    turn              boolean     NOT NULL DEFAULT false,
    confirmed         boolean     NOT NULL DEFAULT false, -- a question of matching was answered: it is not asked again
    request_id        text        NOT NULL CHECK (octet_length(request_id) BETWEEN 1 AND 128),
    body_hash         bytea       NOT NULL CHECK (octet_length(body_hash) = 32),
    settings          jsonb       NOT NULL,
    account           jsonb       NOT NULL,
    raw_days          integer     GENERATED ALWAYS AS (nullif((account ->> 'raw_days')::integer, 0)) STORED,    -- null: as the service is set
    result_days       integer     GENERATED ALWAYS AS (nullif((account ->> 'result_days')::integer, 0)) STORED, -- likewise
    submitted_by      text        NOT NULL,
    submitter_email   text        NOT NULL,
    file_name         text        NOT NULL,
    file_object       text        NOT NULL,
    file_size         bigint      NOT NULL CHECK (file_size >= 0),
    file_sha256       text        NOT NULL,
    upload_id         uuid        NOT NULL,
    retry_of          uuid,
    created_at        timestamptz NOT NULL,
    started_at        timestamptz,
    ended_at          timestamptz,
    rows              bigint      NOT NULL DEFAULT 0,
    added             bigint      NOT NULL DEFAULT 0,
    updated           bigint      NOT NULL DEFAULT 0,
    unchanged         bigint      NOT NULL DEFAULT 0,
    duplicate         bigint      NOT NULL DEFAULT 0,
    unmatched         bigint      NOT NULL DEFAULT 0,
    invalid           bigint      NOT NULL DEFAULT 0,
    conflict          bigint      NOT NULL DEFAULT 0,
    held              bigint      NOT NULL DEFAULT 0,
    suppressed        bigint      NOT NULL DEFAULT 0,
    blank             bigint      NOT NULL DEFAULT 0,
    sent_to_provider  bigint      NOT NULL DEFAULT 0,
    known_to_provider bigint      NOT NULL DEFAULT 0,
    validated         boolean     NOT NULL DEFAULT false, -- rows, invalid and blank are known
    problem           jsonb,
    question          jsonb, -- the last one asked
    asked_by          text,  -- the stage that asked it
    columns           jsonb,
    leave_token       bigint, -- the last token that had leave to commit
    last_event        bigint      NOT NULL DEFAULT 0,
    file_kept         text        NOT NULL DEFAULT 'KEPT' CHECK (file_kept IN ('KEPT', 'DUE', 'SWEPT')),
    work_kept         text        NOT NULL DEFAULT 'KEPT' CHECK (work_kept IN ('KEPT', 'DUE', 'SWEPT')),
    PRIMARY KEY (account_id, job_id),
    CONSTRAINT jobs_number UNIQUE (account_id, number),
    CONSTRAINT jobs_request UNIQUE (account_id, request_id),
    CONSTRAINT jobs_state CHECK (state IN ('QUEUED', 'VALIDATING', 'NEEDS_ANSWER', 'READY', 'MATCHING', 'AWAITING_APPROVAL', 'ENRICHING', 'MERGING',
        'COMMITTING', 'EXPORTING', 'COMPLETED', 'COMPLETED_WITH_REJECTS', 'CHECKED', 'REJECTED', 'FAILED', 'CANCELLED')),
    CONSTRAINT jobs_ended CHECK ((ended_at IS NOT NULL) =
        (state IN ('COMPLETED', 'COMPLETED_WITH_REJECTS', 'CHECKED', 'REJECTED', 'FAILED', 'CANCELLED'))),
    CONSTRAINT jobs_turn CHECK (NOT turn OR (NOT check_only AND state IN ('READY', 'MATCHING', 'ENRICHING', 'MERGING', 'COMMITTING', 'EXPORTING'))),
    CONSTRAINT jobs_at_work CHECK (turn OR check_only OR state NOT IN ('MATCHING', 'ENRICHING', 'MERGING', 'COMMITTING', 'EXPORTING')),
    CONSTRAINT jobs_leave CHECK (leave_token IS NOT NULL OR check_only OR state NOT IN ('COMMITTING', 'COMPLETED', 'COMPLETED_WITH_REJECTS')),
    CONSTRAINT jobs_check CHECK (NOT check_only OR state NOT IN ('COMMITTING', 'COMPLETED', 'COMPLETED_WITH_REJECTS')),
    -- Every row has exactly one outcome.
    CONSTRAINT jobs_counts_add_up CHECK (state NOT IN ('COMPLETED', 'COMPLETED_WITH_REJECTS', 'CHECKED')
        OR rows = added + updated + unchanged + duplicate + unmatched + invalid + conflict + held + suppressed),
    CONSTRAINT jobs_rejects CHECK (state NOT IN ('COMPLETED', 'COMPLETED_WITH_REJECTS')
        OR (state = 'COMPLETED_WITH_REJECTS') = (invalid + conflict + unmatched + held + suppressed > 0)),
    CONSTRAINT jobs_counts_positive CHECK (least(rows, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held, suppressed, blank,
        sent_to_provider, known_to_provider) >= 0)
) WITH (fillfactor = 70);

-- The second net under the row lock: one job of an account has the turn, one is at work.
CREATE UNIQUE INDEX jobs_one_turn ON jobs (account_id) WHERE turn;
CREATE UNIQUE INDEX jobs_one_at_work ON jobs (account_id)
    WHERE NOT check_only AND state IN ('MATCHING', 'ENRICHING', 'MERGING', 'COMMITTING', 'EXPORTING');
CREATE INDEX jobs_open ON jobs (account_id, number) WHERE ended_at IS NULL;
CREATE INDEX jobs_upload ON jobs (account_id, upload_id);
CREATE INDEX jobs_file_kept ON jobs (ended_at) WHERE file_kept <> 'SWEPT' AND ended_at IS NOT NULL;
CREATE INDEX jobs_work_kept ON jobs (ended_at) WHERE work_kept <> 'SWEPT' AND ended_at IS NOT NULL;

CREATE TABLE stages (
    account_id       uuid        NOT NULL,
    job_id           uuid        NOT NULL,
    stage            text        NOT NULL CHECK (stage IN ('validate', 'match', 'enrich', 'merge', 'notify', 'export')),
    round            int         NOT NULL CHECK (round > 0),
    state            text        NOT NULL CHECK (state IN ('RUNNABLE', 'CLAIMED', 'DONE', 'DROPPED')),
    notice           text        NOT NULL DEFAULT '' CHECK (notice IN ('', 'ended', 'question')),
    opened_at        timestamptz NOT NULL,
    ended_at         timestamptz,
    rung_at          timestamptz,
    rings            int         NOT NULL DEFAULT 0, -- since it was last claimed
    not_before       timestamptz,
    token            bigint,      -- of the claim; kept when its lease ends, so that it may revive until the next claim
    instance         text,
    incarnation      uuid,
    lease_until      timestamptz,
    lost_token       bigint,      -- of a lease that ended while it was unknown whether its instance lived on
    lost_instance    text,
    lost_incarnation uuid,
    lost_at          timestamptz,
    faults           int         NOT NULL DEFAULT 0,
    leases_lost      int         NOT NULL DEFAULT 0,
    instances_lost   int         NOT NULL DEFAULT 0, -- in a row
    waits            int         NOT NULL DEFAULT 0, -- in a row, for an unavailable dependency
    done             bigint      NOT NULL DEFAULT 0,
    total            bigint      NOT NULL DEFAULT 0,
    rate             double precision NOT NULL DEFAULT 0,
    progress_at      timestamptz,
    code             text        NOT NULL DEFAULT '', -- of the last release
    message          text        NOT NULL DEFAULT '',
    result           bytea,
    PRIMARY KEY (account_id, job_id, stage, round),
    FOREIGN KEY (account_id, job_id) REFERENCES jobs,
    CONSTRAINT stages_claimed CHECK (state <> 'CLAIMED' OR num_nulls(token, instance, incarnation, lease_until) = 0)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX stages_token ON stages (account_id, token);
CREATE UNIQUE INDEX stages_one_open ON stages (account_id, job_id, stage) WHERE state IN ('RUNNABLE', 'CLAIMED') AND stage <> 'notify';
CREATE INDEX stages_to_ring ON stages (account_id) WHERE state = 'RUNNABLE' AND rung_at IS NULL;
CREATE INDEX stages_rung ON stages (rung_at) WHERE state = 'RUNNABLE';
CREATE INDEX stages_leases ON stages (lease_until) WHERE state = 'CLAIMED';
CREATE INDEX stages_held ON stages (instance) WHERE state = 'CLAIMED';
CREATE INDEX stages_validating ON stages (account_id, job_id) WHERE stage = 'validate' AND state IN ('RUNNABLE', 'CLAIMED');

CREATE TABLE events (
    account_id uuid        NOT NULL,
    number     bigint      NOT NULL,
    type       text        NOT NULL,
    job_id     uuid        NOT NULL,
    job_number bigint      NOT NULL,
    state      text        NOT NULL,
    at         timestamptz NOT NULL,
    counts     jsonb,
    problem    jsonb,
    PRIMARY KEY (account_id, number),
    FOREIGN KEY (account_id, job_id) REFERENCES jobs
);
CREATE UNIQUE INDEX events_job ON events (account_id, job_id, number);

-- Events that were not published yet. What is to be rung is told by the stages themselves.
CREATE TABLE outbox (
    account_id uuid   NOT NULL,
    number     bigint NOT NULL,
    PRIMARY KEY (account_id, number)
);

CREATE TABLE uploads (
    account_id uuid        NOT NULL,
    upload_id  uuid        NOT NULL,
    request_id text        NOT NULL,
    state      text        NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'ABANDONED', 'EXPIRED')),
    file_name  text        NOT NULL,
    size       bigint      NOT NULL,
    sha256     text        NOT NULL,
    settings   jsonb       NOT NULL,
    object     text        NOT NULL,
    multipart  text        NOT NULL DEFAULT '',
    parts      jsonb       NOT NULL DEFAULT '[]',
    "offset"   bigint      NOT NULL DEFAULT 0,
    hash_state bytea,
    writer     bigint      NOT NULL DEFAULT 1,
    opened_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, upload_id)
);
CREATE INDEX uploads_request ON uploads (account_id, request_id);
CREATE INDEX uploads_expiry ON uploads (expires_at);

-- Lives of workers. They serve all accounts.
CREATE TABLE instances (
    instance    text        NOT NULL,
    incarnation uuid        NOT NULL,
    started_at  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    superseded  boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (instance, incarnation)
);

ALTER TABLE queues ENABLE ROW LEVEL SECURITY;
ALTER TABLE queues FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON queues USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON queues TO ingest_all USING (true);
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON jobs USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON jobs TO ingest_all USING (true);
ALTER TABLE stages ENABLE ROW LEVEL SECURITY;
ALTER TABLE stages FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON stages USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON stages TO ingest_all USING (true);
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON events USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON events TO ingest_all USING (true);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON outbox USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON outbox TO ingest_all USING (true);
ALTER TABLE uploads ENABLE ROW LEVEL SECURITY;
ALTER TABLE uploads FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON uploads USING (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
CREATE POLICY every ON uploads TO ingest_all USING (true);

-- What waits, in the order it goes: the one at work, then by number. seconds is what a job is thought to take, by the
-- account's recent pace. NEEDS_ANSWER and AWAITING_APPROVAL step aside; checks wait for nobody and nobody for them.
CREATE VIEW places WITH (security_invoker = true) AS
SELECT account_id, job_id,
       count(*) FILTER (WHERE NOT check_only) OVER before AS ahead,
       CASE WHEN count(*) FILTER (WHERE NOT check_only) OVER before = count(seconds) FILTER (WHERE NOT check_only) OVER before
            THEN coalesce(sum(seconds) FILTER (WHERE NOT check_only) OVER before, 0) END AS seconds
FROM (
    SELECT j.account_id, j.job_id, j.number, j.turn, j.check_only,
           CASE WHEN j.validated AND q.row_pace > 0 THEN greatest(0, j.rows / q.row_pace - e.elapsed)
                WHEN q.job_seconds IS NOT NULL THEN greatest(0, q.job_seconds - e.elapsed) END AS seconds
    FROM jobs j JOIN queues q ON q.account_id = j.account_id
         CROSS JOIN LATERAL (SELECT CASE WHEN j.turn THEN extract(epoch FROM clock_timestamp() - j.started_at)::double precision ELSE 0 END AS elapsed) e
    WHERE j.ended_at IS NULL AND j.state NOT IN ('NEEDS_ANSWER', 'AWAITING_APPROVAL')
) open
WINDOW before AS (PARTITION BY account_id ORDER BY turn DESC, number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

GRANT SELECT, INSERT, UPDATE ON queues, jobs, stages, instances TO ingest;
GRANT SELECT, INSERT ON events TO ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON uploads, outbox TO ingest;
GRANT DELETE ON instances TO ingest;
GRANT SELECT ON places TO ingest;
GRANT SELECT ON jobs, stages, outbox, uploads, instances TO ingest_all;

-- +goose Down
DROP VIEW places;
DROP TABLE outbox, events, stages, jobs, queues, uploads, instances;
DROP SEQUENCE tokens;

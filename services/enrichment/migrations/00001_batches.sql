-- +goose Up

-- A batch is what was asked of a provider at once. It is written before it is sent, so that nothing is asked without a
-- trace, and its answer is kept, so that nothing is paid twice: the same subjects of an account make the same batch_id.
create table enrichment.batches (
    account_id  uuid        not null,
    provider    text        not null,
    batch_id    text        not null check (batch_id ~ '^[0-9a-f]{64}$'), -- SHA-256 of account, provider and subjects
    job_id      uuid        not null, -- the job that asked first
    subjects    integer     not null check (subjects > 0),
    sent_at     timestamptz not null default now(),
    answered_at timestamptz,
    known       integer,              -- subjects the provider knows
    cost_micros bigint,
    answer      bytea,                -- the provider's answer, S2-packed EnrichResponse
    primary key (account_id, provider, batch_id),
    check ((answered_at is null) = (answer is null) and (answer is null) = (known is null) and (answer is null) = (cost_micros is null))
);
create index batches_of_job on enrichment.batches (account_id, job_id);
create index batches_by_age on enrichment.batches (account_id, sent_at);

alter table enrichment.batches enable row level security;
alter table enrichment.batches force row level security;
create policy own on enrichment.batches
    using (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
create policy every on enrichment.batches to enrichment_all using (true);

grant select, insert, update, delete on enrichment.batches to enrichment;
grant select, delete on enrichment.batches to enrichment_all;

-- +goose Down
drop table enrichment.batches;

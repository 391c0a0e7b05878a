-- +goose Up

-- Batches that cost nothing were named by a bare hash of what was asked: they go, and are asked again for nothing.
delete from enrichment.batches where cost_micros is null or cost_micros = 0;

alter table enrichment.batches
    drop constraint batches_batch_id_check,
    add constraint batches_batch_id_check check (batch_id ~ '^([0-9a-f]{32}|[0-9a-f]{64})$'), -- a keyed hash; older ones are longer
    add column question bytea,       -- the EnrichRequest, sealed, while it is unanswered and costs something
    add column failed   text,        -- code of why it was given up without an answer
    add column next_try timestamptz, -- while there is a question: not before that the background asks it again
    add constraint batches_failed_check check (failed is null or answer is null and question is null),
    add constraint batches_question_check check (question is null or answer is null and next_try is not null);
create index batches_open on enrichment.batches (account_id, provider, sent_at) where question is not null;

-- Who answered for a value that costs something to ask about: one batch, which has it from before it is sent.
create table enrichment.answers (
    account_id uuid        not null,
    provider   text        not null,
    hash       uuid        not null, -- keyed, of the phone or the email
    kind       smallint    not null check (kind in (1, 2)), -- phone, email
    batch_id   text        not null,
    position   integer     not null check (position >= 0), -- of the subject in the batch, from 0
    asked_at   timestamptz not null default now(),
    primary key (account_id, provider, hash)
);

-- How an account gets on with a provider that has failed it.
create table enrichment.breakers (
    account_id uuid        not null,
    provider   text        not null,
    failures   integer     not null, -- in a row
    open_until timestamptz not null, -- it is not asked before
    code       text        not null, -- of the last failure
    changed_at timestamptz not null default now(),
    primary key (account_id, provider)
);

-- Jobs that went on without their provider; their contacts are asked about later.
create table enrichment.later (
    account_id uuid        not null,
    job_id     uuid        not null,
    since      timestamptz not null, -- answers asked for before are too old for it
    made_at    timestamptz not null default now(),
    seen       boolean     not null default false, -- the job was applied: contacts of it were found
    failures   integer     not null default 0,     -- in a row
    next_try   timestamptz not null default now(),
    primary key (account_id, job_id)
);

-- What a provider said of itself last, by the address it was reached at.
create table enrichment.descriptions (
    address     text        primary key,
    description bytea       not null, -- DescribeResponse
    told_at     timestamptz not null default now()
);

alter table enrichment.answers enable row level security;
alter table enrichment.answers force row level security;
create policy own on enrichment.answers using (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
create policy every on enrichment.answers to enrichment_all using (true);

alter table enrichment.breakers enable row level security;
alter table enrichment.breakers force row level security;
create policy own on enrichment.breakers using (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
create policy every on enrichment.breakers to enrichment_all using (true);

alter table enrichment.later enable row level security;
alter table enrichment.later force row level security;
create policy own on enrichment.later using (account_id = nullif(current_setting('contactmill.account', true), '')::uuid);
create policy every on enrichment.later to enrichment_all using (true);

grant select, insert, update, delete on enrichment.answers, enrichment.breakers, enrichment.later to enrichment;
grant select, insert, update on enrichment.descriptions to enrichment;
grant select, delete on enrichment.answers, enrichment.breakers, enrichment.later to enrichment_all;

-- +goose Down
drop table enrichment.answers;
drop table enrichment.breakers;
drop table enrichment.later;
drop table enrichment.descriptions;
drop index enrichment.batches_open;
alter table enrichment.batches
    drop column question,
    drop column failed,
    drop column next_try;

-- +goose Up

-- The contact database. contacts has the values, wide and with no index but its primary key, so that updates stay
-- cheap; contact_keys has one narrow row for each unique key a contact is recognised by, and is written in the order of
-- the hashes, so that a million new keys touch each page of its one index once.
create schema if not exists contacts;

create table contacts.contacts (
    account_id           uuid not null,
    contact_id           uuid not null,
    created_job          uuid,
    created_line         bigint,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    external_id_hash     uuid,
    email_hash           uuid,
    phone_hash           uuid,
    account_number_hash  uuid,
    ssn_hash             uuid,
    vat_number_hash      uuid,
    name_birth_zip_hash  uuid,
    phone_facts_hash     uuid,
    email_facts_hash     uuid,
    birth_date           date,
    external_id          text collate "C",
    first_name           text collate "C",
    last_name            text collate "C",
    full_name            text collate "C",
    email                text collate "C",
    phone                text collate "C",
    account_number       text collate "C",
    zip                  text collate "C",
    address              text collate "C",
    city                 text collate "C",
    state                text collate "C",
    country              text collate "C",
    company              text collate "C",
    vat_number           text collate "C",
    ssn                  bytea,
    phone_facts          json,
    email_facts          json,
    origins              jsonb,
    primary key (account_id, contact_id),
    check ((external_id is null) = (external_id_hash is null)),
    check ((email is null) = (email_hash is null)),
    check ((phone is null) = (phone_hash is null)),
    check ((account_number is null) = (account_number_hash is null)),
    check ((ssn is null) = (ssn_hash is null)),
    check ((vat_number is null) = (vat_number_hash is null))
) with (fillfactor = 85);
comment on table contacts.contacts is 'people and organisations, with their values';
comment on column contacts.contacts.created_job is 'the job that made it; null if a person did';
comment on column contacts.contacts.created_line is 'the line of the file it was made of';
comment on column contacts.contacts.name_birth_zip_hash is 'the fallback key; null unless name, birth date and zip are all there';
comment on column contacts.contacts.ssn is 'sealed for account, field and contact';
comment on column contacts.contacts.phone_facts is 'what a provider said of the phone with the hash phone_facts_hash';
comment on column contacts.contacts.origins is
    'where values changed since the contact was made come from: {"column": what a person left, "jobs": [[fields, job number, line], ...]}.
A column''s own entry is newer than all jobs; of jobs, newest last, the last that has bit n counts for field number n';

create table contacts.contact_keys (
    account_id  uuid not null,
    hash        uuid not null,
    key         smallint not null check (key between 1 and 6),
    contact_id  uuid not null,
    primary key (account_id, hash)
);
comment on table contacts.contact_keys is 'unique keys: the hash is keyed with account and key, so that no two kinds meet';

create table contacts.contact_fallbacks (
    account_id  uuid not null,
    hash        uuid not null,
    contact_id  uuid not null,
    primary key (account_id, hash, contact_id)
);
comment on table contacts.contact_fallbacks is 'the fallback key, name with birth date and zip; several contacts may share it';

create table contacts.holdings (
    account_id   uuid primary key,
    held         bigint not null default 0 check (held >= 0),
    key_version  bigint not null default 0
);
comment on table contacts.holdings is
    'the row of an account: locked by a merge, and by hand edits that add a contact or change a key';

create table contacts.lists (
    account_id     uuid not null,
    list_id        uuid not null,
    name           text collate "C" not null check (name <> ''),
    members        bigint not null default 0 check (members >= 0),
    last_position  bigint not null default 0,
    created_at     timestamptz not null default now(),
    primary key (account_id, list_id),
    unique (account_id, name)
);
comment on column contacts.lists.members is 'kept by everyone who adds or removes a member';

create table contacts.list_members (
    account_id     uuid not null,
    list_id        uuid not null,
    contact_id     uuid not null,
    position       bigint not null,
    added_by_job   uuid,
    ending         text collate "C",
    agent          text collate "C",
    attempts_left  integer,
    primary key (account_id, contact_id, list_id),
    unique (account_id, list_id, position)
);
comment on column contacts.list_members.position is 'upload order, growing, with gaps';

create table contacts.journal (
    account_id           uuid not null,
    job_id               uuid not null,
    contact_id           uuid not null,
    line                 bigint not null,
    fields               bigint not null,
    external_id_hash     uuid,
    email_hash           uuid,
    phone_hash           uuid,
    account_number_hash  uuid,
    ssn_hash             uuid,
    vat_number_hash      uuid,
    name_birth_zip_hash  uuid,
    birth_date           date,
    external_id          text collate "C",
    first_name           text collate "C",
    last_name            text collate "C",
    full_name            text collate "C",
    email                text collate "C",
    phone                text collate "C",
    account_number       text collate "C",
    zip                  text collate "C",
    address              text collate "C",
    city                 text collate "C",
    state                text collate "C",
    country              text collate "C",
    company              text collate "C",
    vat_number           text collate "C",
    ssn                  bytea,
    origins              jsonb,
    updated_at           timestamptz not null,
    primary key (account_id, job_id, contact_id)
);
comment on table contacts.journal is
    'contacts as they were before a job changed them; those it made are found by contacts.created_job';
comment on column contacts.journal.fields is 'which fields the job changed, bit n for field number n; the others are null here';

create table contacts.key_changes (
    account_id  uuid not null,
    version     bigint not null,
    hash        uuid not null,
    key         smallint not null check (key between 0 and 7),
    contact_id  uuid not null,
    primary key (account_id, version, hash)
);
comment on table contacts.key_changes is
    'keys that came or went outside a job, under the version of holdings.key_version they made; both the old hash and the new';

create table contacts.suppressions (
    account_id  uuid not null,
    hash        uuid not null,
    key         smallint not null check (key between 1 and 7),
    primary key (account_id, hash)
);
comment on table contacts.suppressions is 'keys of people who were erased';

create table contacts.fences (
    account_id     uuid primary key,
    token          bigint not null,
    job_id         uuid not null,
    job_number     bigint not null,
    backend_pid    integer not null,
    backend_start  timestamptz not null
);
comment on table contacts.fences is 'the newest merge of an account: an older token may not commit';

create table contacts.applied (
    account_id         uuid not null,
    job_id             uuid not null,
    token              bigint not null,
    rows               bigint not null,
    added              bigint not null check (added >= 0),
    updated            bigint not null check (updated >= 0),
    unchanged          bigint not null check (unchanged >= 0),
    duplicate          bigint not null check (duplicate >= 0),
    unmatched          bigint not null check (unmatched >= 0),
    invalid            bigint not null check (invalid >= 0),
    conflict           bigint not null check (conflict >= 0),
    held               bigint not null check (held >= 0),
    suppressed         bigint not null check (suppressed >= 0),
    outcomes_name      text collate "C" not null,
    outcomes_size      bigint not null,
    outcomes_sha256    text collate "C" not null,
    first_made         uuid,
    last_made          uuid,
    applied_at         timestamptz not null default now(),
    primary key (account_id, job_id),
    constraint every_row_has_one_outcome check (
        rows = added + updated + unchanged + duplicate + unmatched + invalid + conflict + held + suppressed)
);
comment on table contacts.applied is 'jobs that took effect, once each, with what became of their rows';
comment on column contacts.applied.first_made is
    'the ids of the contacts that the job made lie from this to last_made: they are found by the primary key; null if it made none';

-- origins_with adds what a job changed and drops what that covers: there are never more entries than fields.
-- +goose StatementBegin
create function contacts.origins_with(origins jsonb, fields bigint, job bigint, line bigint) returns jsonb
language sql immutable parallel safe as $$
    select (origins - coalesce((
        select array_agg(f.name)
        from (values
            (2, 'first_name'), (4, 'last_name'), (8, 'full_name'), (16, 'phone'), (32, 'email'), (64,
            'birth_date'), (128, 'ssn'), (256, 'account_number'), (512, 'zip'), (1024, 'external_id'), (4096,
            'address'), (8192, 'city'), (16384, 'state'), (32768, 'country'), (65536, 'company'), (131072,
            'vat_number')
        ) as f (bit, name)
        where fields & f.bit <> 0
    ), '{}')) || jsonb_build_object('jobs', coalesce((
        select jsonb_agg(e order by n)
        from jsonb_array_elements(origins -> 'jobs') with ordinality as o (e, n)
        where (e ->> 0)::bigint & ~fields <> 0
    ), '[]') || jsonb_build_array(jsonb_build_array(fields, job, line)))
$$;
-- +goose StatementEnd

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array array['contacts', 'contact_keys', 'contact_fallbacks', 'holdings', 'lists', 'list_members', 'journal',
                             'key_changes', 'suppressions', 'fences', 'applied']
    loop
        execute format('alter table contacts.%I enable row level security', t);
        execute format('alter table contacts.%I force row level security', t);
        -- The setting is read once a statement, not once a row: on a million inserts that is a sixth of their time.
        execute format('create policy own on contacts.%I using (account_id = '
            '(select nullif(current_setting(''contactmill.account'', true), '''')::uuid))', t);
        execute format('create policy every on contacts.%I to contacts_all using (true)', t);
    end loop;
end
$$;
-- +goose StatementEnd

grant usage on schema contacts to contacts, merge, contacts_all;
grant select, insert, update, delete on contacts.contacts, contacts.contact_keys, contacts.contact_fallbacks,
    contacts.holdings, contacts.lists, contacts.list_members, contacts.key_changes, contacts.suppressions
    to contacts;
grant select on contacts.journal, contacts.applied to contacts;
grant select, insert, update, delete on contacts.contacts, contacts.contact_keys, contacts.contact_fallbacks,
    contacts.holdings, contacts.lists, contacts.list_members to merge;
grant select on contacts.key_changes, contacts.suppressions to merge;
grant select, insert, update on contacts.journal to merge;
grant select, insert on contacts.applied to merge;
grant select, insert, update on contacts.fences to merge;
grant select on all tables in schema contacts to contacts_all;

-- +goose Down
drop schema contacts cascade;

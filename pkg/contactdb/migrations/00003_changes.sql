-- +goose Up

-- What is needed to take a job back and to tell where values come from.

alter table contacts.applied
    add column number bigint,
    add column undo_of uuid,
    add column as_of timestamptz,
    add column list_id uuid,
    add column list_name text collate "C",
    add column removed bigint not null default 0 check (removed >= 0),
    add column newer_here bigint not null default 0 check (newer_here >= 0);
create unique index applied_number on contacts.applied (account_id, number);
comment on column contacts.applied.number is 'the job''s number in its account; null of jobs applied before it was kept';
comment on column contacts.applied.undo_of is 'the job that this one took back';
comment on column contacts.applied.as_of is 'when the values of the job''s file were so';
comment on column contacts.applied.list_id is 'the list that the job''s contacts joined, or, of an undo, the list that it removed';
comment on column contacts.applied.removed is 'contacts that an undo removed; they count among updated';

-- Hand edits leave a before-image too, under an id of their own in the place of the job's.
alter table contacts.journal
    add column changed_at timestamptz not null default now(),
    add column changed_by uuid;
create index journal_contact on contacts.journal (account_id, contact_id);
comment on column contacts.journal.job_id is 'the job that changed the contact, or the id of an edit by hand';
comment on column contacts.journal.changed_at is 'when it was changed; updated_at is from before';
comment on column contacts.journal.changed_by is 'the API key of whoever changed it by hand; null if a job did';

alter table contacts.contacts add column as_of timestamptz;
comment on column contacts.contacts.as_of is
    'when the values that it was made with were so, if its row said it; else as of the job that made it';
comment on column contacts.contacts.origins is
    'where values changed since the contact was made come from: {"column": what a person left, "jobs": [[fields, job number, line, [own fields] or null, seconds], ...]}.
A column''s own entry is newer than all jobs, and so is that of an own field, which goes by its number. Jobs are in the order of their numbers and no two entries name the same field. The seconds, since 1970, are there if the row said as of when it is; an entry may end after its line or after its own fields';

alter table contacts.lists add column made_by_job uuid;
comment on column contacts.lists.made_by_job is 'the job that made it by naming it; null if a person did';

-- Contacts that an undo removed, as they were, until that undo is undone.
create table contacts.removed (like contacts.contacts including defaults);
alter table contacts.removed
    add column job_id uuid not null,
    add column restored_by uuid,
    add primary key (account_id, job_id, contact_id);
comment on table contacts.removed is 'contacts that an undo removed, as they were';
comment on column contacts.removed.job_id is 'the undo';
comment on column contacts.removed.restored_by is 'the job that made the contact again of this; null if none did';

create table contacts.removed_members (
    account_id     uuid not null,
    job_id         uuid not null,
    list_id        uuid not null,
    list_name      text collate "C" not null,
    contact_id     uuid not null,
    position       bigint not null,
    added_by_job   uuid,
    ending         text collate "C",
    agent          text collate "C",
    attempts_left  integer,
    primary key (account_id, job_id, contact_id, list_id)
);
comment on table contacts.removed_members is 'memberships that an undo ended, as they were';

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array array['removed', 'removed_members']
    loop
        execute format('alter table contacts.%I enable row level security', t);
        execute format('alter table contacts.%I force row level security', t);
        execute format('create policy own on contacts.%I using (account_id = '
            '(select nullif(current_setting(''contactmill.account'', true), '''')::uuid))', t);
        execute format('create policy every on contacts.%I to contacts_all using (true)', t);
    end loop;
end
$$;
-- +goose StatementEnd

grant select, insert, update, delete on contacts.removed to merge;
grant select, insert on contacts.removed_members to merge;
grant select on contacts.removed, contacts.removed_members to contacts_all;
grant insert on contacts.journal to contacts;

-- +goose Down
drop table contacts.removed_members;
drop table contacts.removed;
alter table contacts.lists drop column made_by_job;
alter table contacts.contacts drop column as_of;
drop index contacts.journal_contact;
alter table contacts.journal drop column changed_at, drop column changed_by;
alter table contacts.applied drop column number, drop column undo_of, drop column as_of, drop column list_id, drop column list_name,
    drop column removed, drop column newer_here;

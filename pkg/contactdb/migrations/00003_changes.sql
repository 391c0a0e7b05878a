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
create index applied_undos on contacts.applied (account_id, undo_of) where undo_of is not null;
comment on column contacts.applied.number is 'the job''s number in its account; null of jobs applied before it was kept';
comment on column contacts.applied.undo_of is 'the job that this one took back';
comment on column contacts.applied.as_of is 'when the values of the job''s file were so';
comment on column contacts.applied.list_id is 'the list that the job''s contacts joined, or, of an undo, the list that it removed or made again';
comment on column contacts.applied.removed is 'contacts that an undo removed; they count among updated';

-- Hand edits leave a before-image too, under an id of their own in the place of the job's.
alter table contacts.journal
    add column changed_at timestamptz not null default statement_timestamp(),
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

alter table contacts.holdings add column edited boolean not null default false;
comment on column contacts.holdings.edited is 'whether a person has ever given a value in the account';

alter table contacts.lists add column made_by_job uuid;
comment on column contacts.lists.made_by_job is 'the job that made it by naming it; null if a person did';

-- Contacts that an undo removed, as they were, until that undo is undone.
create table contacts.removed (like contacts.contacts including defaults);
alter table contacts.removed
    add column job_id uuid not null,
    add primary key (account_id, job_id, contact_id);
comment on table contacts.removed is 'contacts that an undo removed, as they were';
comment on column contacts.removed.job_id is 'the undo';

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

create table contacts.restored (
    account_id  uuid not null,
    job_id      uuid not null,
    contact_id  uuid not null,
    whole       boolean not null,
    primary key (account_id, job_id, contact_id)
);
create index restored_contact on contacts.restored (account_id, contact_id);
comment on table contacts.restored is 'contacts that the undo of an undo made again, or, where it is not whole, put on a list again';

create table contacts.removed_lists (
    account_id     uuid not null,
    list_id        uuid not null,
    job_id         uuid not null,
    name           text collate "C" not null,
    last_position  bigint not null,
    created_at     timestamptz not null,
    made_by_job    uuid,
    primary key (account_id, list_id, job_id)
);
comment on table contacts.removed_lists is 'lists that an undo left empty and removed, as they were';

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array array['removed', 'removed_members', 'removed_lists', 'restored']
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

grant select, insert on contacts.removed, contacts.removed_members, contacts.removed_lists, contacts.restored to merge;
grant select on contacts.removed, contacts.removed_members, contacts.removed_lists, contacts.restored to contacts_all;
grant insert on contacts.journal to contacts;
grant select on contacts.restored to contacts;

-- field_bit is the bit of a standard field by the name of its column, and 0 for any other name.
-- +goose StatementBegin
create function contacts.field_bit(name text) returns bigint
language sql immutable parallel safe as $$
    select case name
        when 'first_name' then 2
        when 'last_name' then 4
        when 'full_name' then 8
        when 'phone' then 16
        when 'email' then 32
        when 'birth_date' then 64
        when 'ssn' then 128
        when 'account_number' then 256
        when 'zip' then 512
        when 'external_id' then 1024
        when 'address' then 4096
        when 'city' then 8192
        when 'state' then 16384
        when 'country' then 32768
        when 'company' then 65536
        when 'vat_number' then 131072
        else 0 end::bigint
$$;
-- +goose StatementEnd

-- origins_over is origins_with for all cases. It is planned once, also where each statement is planned for what is at hand.
-- +goose StatementBegin
create function contacts.origins_over(origins jsonb, fields bigint, own jsonb, changes jsonb) returns jsonb
language plpgsql immutable parallel safe
set plan_cache_mode = force_generic_plan as $$
begin
    return (coalesce(origins, '{}') - coalesce((
        select array_agg(k.name)
        from jsonb_object_keys(origins) as k (name)
        where contacts.field_bit(k.name) & origins_over.fields <> 0 or origins_over.own ? k.name
    ), '{}')) || jsonb_build_object('jobs', (
        select jsonb_agg(n.e order by (n.e -> 1)::bigint, (n.e -> 2)::bigint)
        from (
            select case
                when o.e -> 4 is not null then jsonb_build_array(stay.bits, o.e -> 1, o.e -> 2, stay.numbers, o.e -> 4)
                when stay.numbers is not null then jsonb_build_array(stay.bits, o.e -> 1, o.e -> 2, stay.numbers)
                else jsonb_build_array(stay.bits, o.e -> 1, o.e -> 2) end
            from jsonb_array_elements(origins -> 'jobs') as o (e)
            cross join lateral (
                select (o.e ->> 0)::bigint & ~origins_over.fields as bits,
                    case when jsonb_typeof(o.e -> 3) <> 'array' then null when origins_over.own is null then o.e -> 3 else (
                        select jsonb_agg(f.n) from jsonb_array_elements(o.e -> 3) as f (n) where not origins_over.own ? (f.n #>> '{}')
                    ) end as numbers
            ) as stay
            where stay.bits <> 0 or stay.numbers is not null
            union all
            select c.e
            from jsonb_array_elements(changes) as c (e)
        ) as n (e)
    ));
end
$$;
-- +goose StatementEnd

-- origins_with gives the origins of a contact of which a job changed fields, and own fields: an object with an entry for each,
-- whatever it is, or null. The changes are the job's entries; together they name these fields. What named them before does so
-- no longer, so that no two entries name the same field, and there are never more of them than fields.
drop function contacts.origins_with(jsonb, bigint, bigint, bigint);
drop function contacts.origins_with(jsonb, bigint, jsonb, bigint, bigint);
-- +goose StatementBegin
create function contacts.origins_with(origins jsonb, fields bigint, own jsonb, changes jsonb) returns jsonb
language plpgsql immutable parallel safe as $$
declare
    entries jsonb := coalesce(origins -> 'jobs', '[]');
    entry jsonb;
    rest bigint;
    placed boolean := false;
    result jsonb := '[]';
begin
    -- Most contacts have no own fields that change and nothing that a person left: without a query that takes a tenth of the time.
    if own is null and jsonb_array_length(changes) = 1 and coalesce(origins - 'jobs', '{}') = '{}' then
        for i in 0 .. jsonb_array_length(entries) - 1 loop
            entry := entries -> i;
            if not placed and (entry -> 1)::bigint > (changes #> '{0,1}')::bigint then
                result := result || changes;
                placed := true;
            end if;
            rest := (entry -> 0)::bigint & ~fields;
            if rest = (entry -> 0)::bigint then
                result := result || jsonb_build_array(entry);
            elsif rest <> 0 or jsonb_typeof(entry -> 3) = 'array' then
                result := result || jsonb_build_array(jsonb_set(entry, '{0}', to_jsonb(rest)));
            end if;
        end loop;
        if not placed then
            result := result || changes;
        end if;
        return jsonb_build_object('jobs', result);
    end if;
    return contacts.origins_over(origins, fields, own, changes);
end
$$;
-- +goose StatementEnd

-- origin_of is where a contact's value in a field comes from: {"by", "at", ...} of a person, the entry of a job, or null since the
-- contact was made. field is its bit, or 1 for an own field, whose name is its number.
-- +goose StatementBegin
create function contacts.origin_of(origins jsonb, name text, field bigint) returns jsonb
language plpgsql immutable parallel safe as $$
declare
    entry jsonb;
    its boolean;
begin
    if origins ? name then
        return origins -> name;
    end if;
    for i in 0 .. coalesce(jsonb_array_length(origins -> 'jobs'), 0) - 1 loop
        entry := origins -> 'jobs' -> i;
        if field > 1 then
            its := (entry -> 0)::bigint & field <> 0;
        else
            its := entry -> 3 @> name::jsonb;
        end if;
        if its then
            return entry;
        end if;
    end loop;
    return null;
end
$$;
-- +goose StatementEnd

-- given_at is as of when a value is, by its origin: the day that a person gave it, or that the row of a job said, or that its job
-- is of; made_at if the contact was made with it.
create function contacts.given_at(origin jsonb, made_at timestamptz, job_at timestamptz) returns timestamptz
language sql stable parallel safe as $$
    select case
        when origin is null then made_at
        when jsonb_typeof(origin) = 'object' then (origin ->> 'at')::timestamptz
        when origin -> 4 is not null then to_timestamp((origin ->> 4)::bigint)
        else job_at end
$$;

-- origins_back is the origins of a contact after some of its fields were put back: of these as they were before, of the
-- others as they are now. own has an entry for each own field that was put back, whatever it is. It is planned once.
-- +goose StatementBegin
create function contacts.origins_back(now jsonb, before jsonb, fields bigint, own jsonb) returns jsonb
language sql immutable parallel safe
set plan_cache_mode = force_generic_plan as $$
    select nullif(coalesce((
        select jsonb_object_agg(p.name, p.override)
        from (
            select n.key, n.value
            from jsonb_each(now) as n
            where n.key <> 'jobs' and contacts.field_bit(n.key) & fields = 0 and not coalesce(own ? n.key, false)
            union all
            select b.key, b.value
            from jsonb_each(before) as b
            where b.key <> 'jobs' and (contacts.field_bit(b.key) & fields <> 0 or own ? b.key)
        ) as p (name, override)
    ), '{}') || coalesce((
        select jsonb_build_object('jobs', jsonb_agg(case
            when g.seconds is not null then jsonb_build_array(g.fields, g.job, g.line, g.own, g.seconds)
            when g.own is not null then jsonb_build_array(g.fields, g.job, g.line, g.own)
            else jsonb_build_array(g.fields, g.job, g.line) end order by g.job, g.line))
        from (
            select w.job, w.line, bit_or(w.fields) as fields, jsonb_agg(w.own order by w.own) filter (where w.own is not null) as own,
                max(w.seconds) as seconds
            from (
                select (o.e ->> 1)::bigint, (o.e ->> 2)::bigint, (o.e ->> 4)::bigint, (o.e ->> 0)::bigint & case when o.back then fields else ~fields end, null::integer
                from (
                    select e, false from jsonb_array_elements(now -> 'jobs') as e
                    union all
                    select e, true from jsonb_array_elements(before -> 'jobs') as e
                ) as o (e, back)
                union all
                select (o.e ->> 1)::bigint, (o.e ->> 2)::bigint, (o.e ->> 4)::bigint, 0, f.number::integer
                from (
                    select e, false from jsonb_array_elements(now -> 'jobs') as e
                    union all
                    select e, true from jsonb_array_elements(before -> 'jobs') as e
                ) as o (e, back)
                cross join lateral jsonb_array_elements_text(case when jsonb_typeof(o.e -> 3) = 'array' then o.e -> 3 end) as f (number)
                where coalesce(own ? f.number, false) = o.back
            ) as w (job, line, seconds, fields, own)
            group by w.job, w.line
        ) as g
        where g.fields <> 0 or g.own is not null
        having count(*) > 0
    ), '{}'), '{}')
$$;
-- +goose StatementEnd

-- +goose Down
drop function contacts.given_at(jsonb, timestamptz, timestamptz);
drop function contacts.origin_of(jsonb, text, bigint);
drop function contacts.origins_with(jsonb, bigint, jsonb, jsonb);
drop function contacts.origins_over(jsonb, bigint, jsonb, jsonb);
drop function contacts.origins_back(jsonb, jsonb, bigint, jsonb);
drop function contacts.field_bit(text);
-- origins_with adds what a job changed and drops what that covers: there are never more entries than fields. An entry
-- that names own fields stays, as no standard field covers those.
-- +goose StatementBegin
create or replace function contacts.origins_with(origins jsonb, fields bigint, job bigint, line bigint) returns jsonb
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
        where (e ->> 0)::bigint & ~fields <> 0 or e -> 3 is not null
    ), '[]') || jsonb_build_array(jsonb_build_array(fields, job, line)))
$$;
-- +goose StatementEnd

-- The same of a job that changed own fields too: own is an object with an entry for each, whatever it is.
-- +goose StatementBegin
create function contacts.origins_with(origins jsonb, fields bigint, own jsonb, job bigint, line bigint) returns jsonb
language sql immutable parallel safe as $$
    select jsonb_set(s.origins, '{jobs}', coalesce((
        select jsonb_agg(o.e order by o.n)
        from jsonb_array_elements(s.origins -> 'jobs') with ordinality as o (e, n)
        where o.n < jsonb_array_length(s.origins -> 'jobs') and ((o.e ->> 0)::bigint & ~fields <> 0
            or exists (select from jsonb_array_elements_text(o.e -> 3) as f (number) where not own ? f.number))
    ), '[]') || jsonb_build_array(jsonb_build_array(fields, job, line, (
        select jsonb_agg(k::integer order by k::integer)
        from jsonb_object_keys(own) as k
    ))))
    from (select contacts.origins_with(origins, fields, job, line) - array(select jsonb_object_keys(own)) as origins) as s
$$;
-- +goose StatementEnd
drop table contacts.removed_lists;
drop table contacts.restored;
drop table contacts.removed_members;
drop table contacts.removed;
alter table contacts.lists drop column made_by_job;
alter table contacts.holdings drop column edited;
alter table contacts.contacts drop column as_of;
drop index contacts.journal_contact;
alter table contacts.journal drop column changed_at, drop column changed_by;
alter table contacts.applied drop column number, drop column undo_of, drop column as_of, drop column list_id, drop column list_name,
    drop column removed, drop column newer_here;

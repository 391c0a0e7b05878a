-- +goose Up

-- Fields of the account's own. All values of a contact lie in one column, so that accounts without such fields pay
-- nothing and those with them no column each; the keys of unique ones have columns like the standard keys.
alter table contacts.contacts
    add column own jsonb,
    add column own_8_hash uuid,
    add column own_9_hash uuid,
    add column own_10_hash uuid,
    add column own_11_hash uuid,
    add column own_12_hash uuid,
    add column own_13_hash uuid,
    add column own_14_hash uuid,
    add column own_15_hash uuid;
comment on column contacts.contacts.own is
    'values of own fields by the field''s number: text in normal form, or [keyed hash, sealed for account, number and contact] of a secret one; null where there are none, and no entry is null';
comment on column contacts.contacts.own_8_hash is 'the keyed hash of the value of the unique own field with key 8, and so on';
comment on column contacts.contacts.origins is
    'where values changed since the contact was made come from: {"column": what a person left, "jobs": [[fields, job number, line, [own fields]], ...]}.
A column''s own entry is newer than all jobs, and so is that of an own field, which goes by its number; of jobs, newest last, the last that has bit n counts for field number n, and for an own field the last that names it';

alter table contacts.journal
    add column own jsonb,
    add column own_8_hash uuid,
    add column own_9_hash uuid,
    add column own_10_hash uuid,
    add column own_11_hash uuid,
    add column own_12_hash uuid,
    add column own_13_hash uuid,
    add column own_14_hash uuid,
    add column own_15_hash uuid;
comment on column contacts.journal.fields is
    'which fields the job changed, bit n for field number n; the others are null here. Bit 0: own fields; bit 40 + n: the own key n';
comment on column contacts.journal.own is 'the own fields the job changed as they were before, null for one without a value';

alter table contacts.contact_keys
    drop constraint contact_keys_key_check,
    add constraint contact_keys_key_check check (key between 1 and 6 or key between 8 and 15);
alter table contacts.key_changes
    drop constraint key_changes_key_check,
    add constraint key_changes_key_check check (key between 0 and 15);
alter table contacts.suppressions
    drop constraint suppressions_key_check,
    add constraint suppressions_key_check check (key between 1 and 15);

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

-- +goose Down
drop function contacts.origins_with(jsonb, bigint, jsonb, bigint, bigint);
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
        where (e ->> 0)::bigint & ~fields <> 0
    ), '[]') || jsonb_build_array(jsonb_build_array(fields, job, line)))
$$;
-- +goose StatementEnd
delete from contacts.contact_keys where key > 7;
delete from contacts.key_changes where key > 7;
delete from contacts.suppressions where key > 7;
alter table contacts.suppressions
    drop constraint suppressions_key_check,
    add constraint suppressions_key_check check (key between 1 and 7);
alter table contacts.key_changes
    drop constraint key_changes_key_check,
    add constraint key_changes_key_check check (key between 0 and 7);
alter table contacts.contact_keys
    drop constraint contact_keys_key_check,
    add constraint contact_keys_key_check check (key between 1 and 6);
alter table contacts.journal
    drop column own, drop column own_8_hash, drop column own_9_hash, drop column own_10_hash, drop column own_11_hash,
    drop column own_12_hash, drop column own_13_hash, drop column own_14_hash, drop column own_15_hash;
alter table contacts.contacts
    drop column own, drop column own_8_hash, drop column own_9_hash, drop column own_10_hash, drop column own_11_hash,
    drop column own_12_hash, drop column own_13_hash, drop column own_14_hash, drop column own_15_hash;

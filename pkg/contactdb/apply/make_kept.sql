-- Words of known rows that are not followed: reason 1 by rule, 2 as an authorisation stays withdrawn, 3 as what the contact
-- has is newer. turns tells of a word on an own field that it is not False.
create temporary table if not exists kept (
    row bigint not null,
    contact_id uuid not null,
    field integer not null,
    reason smallint not null,
    turns boolean not null
) on commit delete rows

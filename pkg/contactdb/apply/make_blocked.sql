-- Rows that would take a key of another contact.
create temporary table if not exists blocked (
    row bigint not null,
    contact_id uuid not null
) on commit delete rows

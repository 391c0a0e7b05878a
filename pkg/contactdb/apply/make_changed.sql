-- What of the known rows differs from their contact; fields has bit n for field number n.
create temporary table if not exists changed (
    row bigint not null,
    line bigint not null,
    contact_id uuid not null,
    fields bigint not null,
    name_birth_zip_hash uuid
) on commit delete rows

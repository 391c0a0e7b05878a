-- What of the known rows differs from their contact; fields has bit n for field number n, bit 0 for own fields, which
-- are those in changed_own, and bit 40 + n for the own key n. whole is for undos: all origins become what
-- they were. place is where the contact is until this job writes it, and source where its row of staged is, or of was: what is changed
-- last of all, after the rows were found, need not be looked for again.
create temporary table if not exists changed (
    row bigint not null,
    line bigint not null,
    contact_id uuid not null,
    fields bigint not null,
    name_birth_zip_hash uuid,
    whole boolean,
    place tid not null,
    source tid not null
) on commit delete rows

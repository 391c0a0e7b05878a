-- What an undo finds at contacts, several rows for some; what of fields comes back is in changed. The kinds are those of the
-- type found in undo.go. kept and kept_own are fields that somebody else changed since, with the origins that tell who; taken are
-- fields whose key other has by now, lists the lists on which somebody put a contact, place where one lies that is to
-- be removed.
create temporary table if not exists undone (
    contact_id uuid not null,
    line bigint not null,
    found smallint not null,
    kept bigint,
    kept_own text[],
    origins jsonb,
    taken bigint,
    other uuid,
    lists text[],
    place tid
) on commit delete rows

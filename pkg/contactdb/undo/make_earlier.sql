-- Where the values came from that an undone undo left: the origins from before the job that it had undone.
create temporary table if not exists earlier (
    contact_id uuid not null,
    origins jsonb
) on commit delete rows

-- Keys that would come back and that another contact has. next is that one if it gives the key up here, as far as it gets
-- back another one itself that somebody has; blocked tells that it cannot.
create temporary table if not exists wanted (
    contact_id uuid not null,
    line bigint not null,
    field bigint not null,
    other uuid not null,
    next uuid,
    blocked boolean not null
) on commit delete rows

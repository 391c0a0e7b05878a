-- Authorisations that stay withdrawn, whatever the row says.
create temporary table if not exists kept (
    row bigint not null,
    field integer not null
) on commit delete rows

-- What rows that meet at one contact change of its own fields after those before them; last tells that no later row
-- changes the field, and bits are 1 and the bit of the key that the field makes.
create temporary table if not exists met_own (
    row bigint not null,
    first bigint not null,
    field integer not null,
    last boolean not null,
    bits bigint not null
) on commit delete rows

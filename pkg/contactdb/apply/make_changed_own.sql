-- The own fields in which known rows differ from their contact, null where the row clears one. Apart from changed, as only
-- jobs with own fields should pay for a table that can hold large values.
create temporary table if not exists changed_own (
    row bigint not null,
    own jsonb not null
) on commit delete rows

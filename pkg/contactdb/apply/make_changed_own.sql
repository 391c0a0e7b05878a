-- The own fields in which known rows differ from their contact, null where the row clears one; before has what they were,
-- and numbers lists them. Apart from changed, as only jobs with own fields shall pay for a table of large values.
create temporary table if not exists changed_own (
    row bigint not null,
    own jsonb not null,
    before jsonb not null,
    numbers text not null
) on commit delete rows

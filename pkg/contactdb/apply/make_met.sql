-- Rows that meet at one contact. fields is what the row changes after those before it, last which of them no later row
-- changes; first is the row that stands for all of its contact.
create temporary table if not exists met (
    row bigint not null,
    line bigint not null,
    as_of bigint,
    contact_id uuid not null,
    first bigint not null,
    fields bigint not null,
    last bigint not null
) on commit delete rows

-- The rows that make contacts, and those that change them.
select (select count(*) from staged where not known), (select count(*) from changed)

-- Contacts that are to come back and one of whose keys is taken stay away.
with taken as (
    insert into undone (contact_id, line, found, taken, other)
    select contact_id, line, 9, field, other
    from wanted
    where blocked
    returning contact_id
)
delete from undone u
using wanted w
where u.found = 5 and w.blocked and w.contact_id = u.contact_id

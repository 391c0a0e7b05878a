-- Finds the contacts that the undo $2 removed: they come back, unless they are there.
with found as (
    insert into undone (contact_id, line, found)
    select r.contact_id, coalesce(r.created_line, 0), case when c.contact_id is null then 5 else 1 end
    from contacts.removed r
    left join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = r.contact_id offset 0) as c on true
    where r.account_id = $1 and r.job_id = $2
    order by r.contact_id
    returning found
)
select count(*)
from found
where found = 5

-- Finds whom the undo $2 took from the list, if they stayed contacts: they come back to it, which is $3 by now, unless somebody else
-- has put them there.
insert into undone (contact_id, line, found)
select r.contact_id, 0, case when c.contact_id is null or m.contact_id is not null then 1 else 7 end
from contacts.removed_members r
left join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = r.contact_id offset 0) as c on true
left join lateral (
    select x.contact_id
    from contacts.list_members x
    where x.account_id = $1 and x.contact_id = r.contact_id and x.list_id = $3
    offset 0
) as m on true
left join lateral (
    select x.contact_id
    from contacts.removed x
    where x.account_id = $1 and x.job_id = $2 and x.contact_id = r.contact_id
    offset 0
) as x on true
where r.account_id = $1 and r.job_id = $2 and x.contact_id is null

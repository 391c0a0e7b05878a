-- Finds whom undos of the account have taken from the list that the job $2 had put them on; the list is $3 by now.
insert into undone (contact_id, line, found)
select distinct r.contact_id, 0, 1
from contacts.applied u
join contacts.removed_members r on r.account_id = $1 and r.job_id = u.job_id
left join lateral (
    select x.contact_id
    from contacts.list_members x
    where x.account_id = $1 and x.contact_id = r.contact_id and x.list_id = $3 and x.added_by_job = $2
    offset 0
) as m on true
where u.account_id = $1 and u.undo_of is not null and r.added_by_job = $2 and m.contact_id is null

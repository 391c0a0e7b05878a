-- Finds the contacts that the job made and that an undo has removed since.
insert into undone (contact_id, line, found)
select r.contact_id, min(coalesce(r.created_line, 0)), 1
from contacts.applied u
join contacts.removed r on r.account_id = $1 and r.job_id = u.job_id and r.contact_id between $3 and $4
left join lateral (
    select x.contact_id
    from contacts.contacts x
    where x.account_id = $1 and x.contact_id = r.contact_id
    offset 0
) as c on true
where u.account_id = $1 and u.undo_of is not null and r.created_job = $2 and c.contact_id is null
group by r.contact_id

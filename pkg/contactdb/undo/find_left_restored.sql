-- Finds whom the undo $2 had put on the list $3 again and who is not on it now, by the job $4 that had put him there first.
insert into undone (contact_id, line, found)
select r.contact_id, 0, 1
from contacts.restored r
left join lateral (
    select x.contact_id
    from contacts.list_members x
    where x.account_id = $1 and x.contact_id = r.contact_id and x.list_id = $3 and x.added_by_job = $4
    offset 0
) as m on true
where r.account_id = $1 and r.job_id = $2 and not r.whole and m.contact_id is null

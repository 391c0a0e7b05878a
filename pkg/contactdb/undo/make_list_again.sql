-- Makes a list that an undo removed, unless it is there or its name is another's: if it was the undo $3, which is undone, that
-- removed it, or if somebody comes back on it. Its positions go on where they were.
insert into contacts.lists (account_id, list_id, name, last_position, created_at, made_by_job)
select $1, r.list_id, r.name, r.last_position, r.created_at, r.made_by_job
from contacts.removed_lists r
where r.account_id = $1 and r.list_id = $2
    and (exists (select from contacts.removed_lists o where o.account_id = $1 and o.list_id = $2 and o.job_id = $3)
        or exists (
            select
            from undone u
            join contacts.removed_members m on m.account_id = $1 and m.job_id = $3 and m.contact_id = u.contact_id
            where u.found in (5, 7)))
order by r.last_position desc
limit 1
on conflict do nothing
returning list_id, name

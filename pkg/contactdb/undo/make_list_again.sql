-- Makes a list that an undo removed, unless it is there or its name is another's. Its positions go on where they were.
insert into contacts.lists (account_id, list_id, name, last_position, created_at, made_by_job)
select $1, r.list_id, r.name, r.last_position, r.created_at, r.made_by_job
from contacts.removed_lists r
where r.account_id = $1 and r.list_id = $2
order by r.last_position desc
limit 1
on conflict do nothing

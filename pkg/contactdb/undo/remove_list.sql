-- Removes the list if nobody is left on it and a job made it that is undone: $3, or one that was undone before.
with gone as (
    delete from contacts.lists l
    where l.account_id = $1 and l.list_id = $4 and l.members = 0
        and (l.made_by_job = $3 or exists (select from contacts.applied u where u.account_id = $1 and u.undo_of = l.made_by_job))
    returning list_id, name, last_position, created_at, made_by_job
), kept as (
    insert into contacts.removed_lists (account_id, job_id, list_id, name, last_position, created_at, made_by_job)
    select $1, $2, list_id, name, last_position, created_at, made_by_job
    from gone
)
select list_id, name
from gone

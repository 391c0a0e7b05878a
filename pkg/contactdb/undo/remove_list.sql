-- Removes the list $4 if nobody is left on it and a job made it that is undone: $3, here, or one of whose undos, and undos of
-- these, the last took it back. If this undo took nobody off it, then only if the job that it takes back, $5, made it, or $6
-- made it again: an empty list that was there before that job stays.
with recursive words as (
    select a.job_id, a.number, 0 as depth
    from contacts.lists l
    join contacts.applied a on a.account_id = $1 and a.job_id = l.made_by_job
    where l.account_id = $1 and l.list_id = $4
    union all
    select a.job_id, a.number, w.depth + 1
    from words w
    join contacts.applied a on a.account_id = $1 and a.undo_of = w.job_id
), gone as (
    delete from contacts.lists l
    where l.account_id = $1 and l.list_id = $4 and l.members = 0
        and (l.made_by_job = $3 or (select w.depth % 2 = 1 from words w order by w.number desc limit 1))
        and (l.made_by_job = $5 or $6 or exists (
            select from contacts.removed_members m where m.account_id = $1 and m.job_id = $2 and m.list_id = l.list_id))
    returning list_id, name, last_position, created_at, made_by_job
), kept as (
    insert into contacts.removed_lists (account_id, job_id, list_id, name, last_position, created_at, made_by_job)
    select $1, $2, list_id, name, last_position, created_at, made_by_job
    from gone
)
select list_id, name
from gone

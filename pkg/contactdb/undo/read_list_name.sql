-- The list that the job with a file put contacts on, by its name now, or as it was.
with recursive chain as (
    select undo_of, list_id, list_name
    from contacts.applied
    where account_id = $1 and job_id = $2
    union all
    select a.undo_of, a.list_id, a.list_name
    from chain c
    join contacts.applied a on a.account_id = $1 and a.job_id = c.undo_of
)
select coalesce(l.name, c.list_name, '')
from chain c
left join contacts.lists l on l.account_id = $1 and l.list_id = c.list_id
where c.undo_of is null

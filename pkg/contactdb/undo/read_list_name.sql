-- The name of the list on which the job with a file put contacts.
with recursive chain as (
    select undo_of, list_name
    from contacts.applied
    where account_id = $1 and job_id = $2
    union all
    select a.undo_of, a.list_name
    from chain c
    join contacts.applied a on a.account_id = $1 and a.job_id = c.undo_of
)
select coalesce(c.list_name, '')
from chain c
where c.undo_of is null

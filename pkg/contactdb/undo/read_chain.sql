-- The job to undo; if it is an undo itself, then the one that it undid, and so on to the one with a file.
with recursive chain as (
    select job_id, number, undo_of, list_id, list_name, first_made, last_made, 0 as depth
    from contacts.applied
    where account_id = $1 and job_id = $2
    union all
    select a.job_id, a.number, a.undo_of, a.list_id, a.list_name, a.first_made, a.last_made, c.depth + 1
    from chain c
    join contacts.applied a on a.account_id = $1 and a.job_id = c.undo_of
)
select job_id, number, undo_of, list_id, list_name, first_made, last_made
from chain
order by depth

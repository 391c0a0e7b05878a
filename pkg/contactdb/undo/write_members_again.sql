-- Puts contacts on their lists again, in their places, and notes all that came back. $2 is the undo that is undone, $3 the one that does it.
with marked as (
    insert into contacts.restored (account_id, job_id, contact_id, whole)
    select $1, $3, contact_id, found = 5
    from undone
    where found in (5, 7)
    order by contact_id
), back as (
    insert into contacts.list_members (account_id, list_id, contact_id, position, added_by_job, ending, agent, attempts_left)
    select $1, r.list_id, r.contact_id, r.position, r.added_by_job, r.ending, r.agent, r.attempts_left
    from undone u
    join contacts.removed_members r on r.account_id = $1 and r.job_id = $2 and r.contact_id = u.contact_id
    join contacts.lists l on l.account_id = $1 and l.list_id = r.list_id
    where u.found in (5, 7)
    order by r.contact_id
    returning list_id, position
)
update contacts.lists l
set members = l.members + x.joined, last_position = greatest(l.last_position, x.last)
from (
    select list_id, count(*) as joined, max(position) as last
    from back
    group by list_id
) as x
where l.account_id = $1 and l.list_id = x.list_id

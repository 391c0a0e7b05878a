-- Puts contacts on the list $4 again and notes all that came back. $2 is the undo that is undone, $3 the one that does it. On the list
-- that it was, everybody has his old place; on another of that name they are the last ones, in their order.
with marked as (
    insert into contacts.restored (account_id, job_id, contact_id, whole)
    select $1, $3, contact_id, found = 5
    from undone
    where found in (5, 7)
    order by contact_id
), back as (
    insert into contacts.list_members (account_id, list_id, contact_id, position, added_by_job, ending, agent, attempts_left)
    select $1, l.list_id, r.contact_id, case when r.list_id = l.list_id then r.position else l.last_position + row_number() over (order by r.position) end,
        r.added_by_job, r.ending, r.agent, r.attempts_left
    from undone u
    cross join lateral (
        select *
        from contacts.removed_members x
        where x.account_id = $1 and x.job_id = $2 and x.contact_id = u.contact_id
        offset 0
    ) as r
    join contacts.lists l on l.account_id = $1 and l.list_id = $4
    where u.found in (5, 7)
    order by r.contact_id
    returning position
)
update contacts.lists l
set members = l.members + x.joined, last_position = greatest(l.last_position, x.last)
from (
    select count(*) as joined, max(position) as last
    from back
) as x
where l.account_id = $1 and l.list_id = $4 and x.joined > 0

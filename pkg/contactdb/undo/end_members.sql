-- Ends memberships, those of removed contacts too. $3 is the list that is left by contacts that stay.
with gone as (
    delete from contacts.list_members m
    using (
        select f.ctid as place
        from undone u
        cross join lateral (select x.ctid, x.list_id from contacts.list_members x where x.account_id = $1 and x.contact_id = u.contact_id offset 0) as f
        where u.found = 3 or u.found = 6 and f.list_id = $3
    ) as g
    where m.account_id = $1 and m.ctid = g.place
    returning m.list_id, m.contact_id, m.position, m.added_by_job, m.ending, m.agent, m.attempts_left
), kept as (
    insert into contacts.removed_members (account_id, job_id, list_id, list_name, contact_id, position, added_by_job, ending, agent, attempts_left)
    select $1, $2, g.list_id, l.name, g.contact_id, g.position, g.added_by_job, g.ending, g.agent, g.attempts_left
    from gone g
    join contacts.lists l on l.account_id = $1 and l.list_id = g.list_id
    order by g.contact_id
)
update contacts.lists l
set members = l.members - x.left
from (
    select list_id, count(*) as left
    from gone
    group by list_id
) as x
where l.account_id = $1 and l.list_id = x.list_id

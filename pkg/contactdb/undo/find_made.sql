-- Finds the contacts that the job made, and whether somebody touched them since: a value, or a list of another job or with calls.
insert into undone (contact_id, line, found, origins, lists, place)
select c.contact_id, coalesce(c.created_line, 0), case when c.origins is null and t.contact_id is null then 3 else 4 end, c.origins, t.lists, c.ctid
from contacts.contacts c
left join (
    select m.contact_id, array_agg(l.name order by l.name) as lists
    from contacts.list_members m
    join contacts.lists l on l.account_id = $1 and l.list_id = m.list_id
    where m.account_id = $1 and m.contact_id between $3 and $4
        and (m.added_by_job is distinct from $2 or m.ending is not null or m.agent is not null or m.attempts_left is not null)
    group by m.contact_id
) as t on t.contact_id = c.contact_id
where c.account_id = $1 and c.contact_id between $3 and $4 and c.created_job = $2
order by c.contact_id

-- Finds the contacts that the undo $2 made again of those that $3 had removed, and whether somebody touched them since.
insert into undone (contact_id, line, found, origins, lists, place)
select b.contact_id, coalesce(r.created_line, 0), case when c.contact_id is null then 1 when c.origins is null and t.lists is null then 3 else 4 end, c.origins, t.lists, c.ctid
from contacts.restored b
cross join lateral (
    select x.created_line
    from contacts.removed x
    where x.account_id = $1 and x.job_id = $3 and x.contact_id = b.contact_id
    offset 0
) as r
left join lateral (select x.*, x.ctid from contacts.contacts x where x.account_id = $1 and x.contact_id = b.contact_id offset 0) as c on true
left join lateral (
    select array_agg(l.name order by l.name) as lists
    from contacts.list_members m
    join contacts.lists l on l.account_id = $1 and l.list_id = m.list_id
    where m.account_id = $1 and m.contact_id = c.contact_id
        and (m.added_by_job is distinct from c.created_job or m.ending is not null or m.agent is not null or m.attempts_left is not null)
) as t on true
where b.account_id = $1 and b.job_id = $2 and b.whole
order by b.contact_id

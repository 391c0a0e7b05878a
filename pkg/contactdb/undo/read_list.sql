-- The list by its id: its name, whether it is there, and whether its name is free for it.
select coalesce(l.name, r.name), l.list_id is not null, not exists (
    select from contacts.lists o where o.account_id = $1 and o.name = r.name and o.list_id <> $2)
from (select $2::uuid as list_id) as w
left join contacts.lists l on l.account_id = $1 and l.list_id = w.list_id
left join lateral (
    select name from contacts.removed_lists r where r.account_id = $1 and r.list_id = w.list_id order by r.last_position desc limit 1
) as r on true
where l.list_id is not null or r.name is not null

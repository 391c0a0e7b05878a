-- Upload order: the position grows with the row. Who is on the list keeps his place.
with list as (
    select list_id, last_position
    from contacts.lists
    where account_id = $1 and name = $2
), joined as (
    insert into contacts.list_members (account_id, list_id, contact_id, position, added_by_job)
    select $1, list.list_id, s.contact_id, list.last_position + 1 + s.row, $3
    from staged s
    cross join list
    on conflict (account_id, contact_id, list_id) do nothing
    returning 1
)
update contacts.lists l
set members = l.members + (select count(*) from joined), last_position = list.last_position + $4
from list
where l.account_id = $1 and l.list_id = list.list_id

-- Upload order: the position grows with the row. Who is on the list keeps his place.
insert into contacts.list_members (account_id, list_id, contact_id, position, added_by_job)
select $1, $2, contact_id, $3 + row, $4
from staged
on conflict (account_id, contact_id, list_id) do nothing

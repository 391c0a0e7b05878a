insert into contacts.lists (account_id, list_id, name)
values ($1, $2, $3)
on conflict (account_id, name) do nothing

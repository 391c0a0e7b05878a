insert into contacts.lists (account_id, list_id, name, made_by_job)
values ($1, $2, $3, $4)
on conflict (account_id, name) do nothing

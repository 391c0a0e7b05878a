update contacts.holdings
set held = held + $2
where account_id = $1

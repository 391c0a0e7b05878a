update contacts.lists
set members = members + $3, last_position = $4
where account_id = $1 and list_id = $2

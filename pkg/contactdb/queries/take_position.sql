UPDATE contacts.lists
SET members = members + 1, last_position = last_position + 1
WHERE account_id = $1 AND name = $2
RETURNING list_id, last_position

SELECT contact_id, position
FROM contacts.list_members
WHERE account_id = $1 AND list_id = $2 AND position > $3
ORDER BY position
LIMIT $4

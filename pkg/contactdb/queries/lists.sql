SELECT list_id, name, members, created_at
FROM contacts.lists
WHERE account_id = $1
ORDER BY name

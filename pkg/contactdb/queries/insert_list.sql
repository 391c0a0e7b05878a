INSERT INTO contacts.lists (account_id, list_id, name)
VALUES ($1, $2, $3)
ON CONFLICT (account_id, name) DO NOTHING
RETURNING list_id, name, members, created_at

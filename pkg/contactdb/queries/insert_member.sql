INSERT INTO contacts.list_members (account_id, list_id, contact_id, position)
VALUES ($1, $2, $3, $4)

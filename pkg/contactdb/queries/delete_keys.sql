DELETE FROM contacts.contact_keys
WHERE account_id = $1 AND contact_id = $2 AND hash = ANY ($3::uuid[])

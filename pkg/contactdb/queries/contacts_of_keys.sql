SELECT hash, key, contact_id
FROM contacts.contact_keys
WHERE account_id = $1 AND hash = ANY ($2::uuid[])

SELECT contact_id, external_id_hash
FROM contacts.contacts
WHERE account_id = $1 AND contact_id = ANY ($2::uuid[])

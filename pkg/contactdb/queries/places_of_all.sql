SELECT contact_id
FROM contacts.contacts
WHERE account_id = $1 AND contact_id > $2
ORDER BY contact_id
LIMIT $3

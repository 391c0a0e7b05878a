SELECT contact_id
FROM contacts.contact_fallbacks
WHERE account_id = $1 AND hash = $2
ORDER BY contact_id
LIMIT $3

DELETE FROM contacts.contact_fallbacks
WHERE account_id = $1 AND hash = $2 AND contact_id = $3

INSERT INTO contacts.contact_fallbacks (account_id, hash, contact_id)
VALUES ($1, $2, $3)

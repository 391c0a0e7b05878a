UPDATE contacts.holdings
SET held = $2, key_version = $3
WHERE account_id = $1

-- Who does this gives a value by hand.
UPDATE contacts.holdings
SET held = $2, key_version = $3, edited = true
WHERE account_id = $1

SELECT held, key_version
FROM contacts.holdings
WHERE account_id = $1
FOR UPDATE

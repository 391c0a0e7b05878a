SELECT held, key_version, edited
FROM contacts.holdings
WHERE account_id = $1
FOR SHARE

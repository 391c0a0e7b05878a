SELECT account_id
FROM accounts
WHERE account_id = $1
FOR NO KEY UPDATE

UPDATE accounts
SET rules = $2, match_by = $3
WHERE account_id = $1

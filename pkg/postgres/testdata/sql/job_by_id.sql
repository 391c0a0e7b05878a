SELECT name FROM job WHERE account_id = $1 AND id = $2

SELECT EXISTS (SELECT FROM stages WHERE account_id = $1 AND token = $2 AND state = 'CLAIMED')

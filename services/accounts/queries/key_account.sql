SELECT account_id
FROM api_keys
WHERE key_id = $1

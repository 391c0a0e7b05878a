SELECT account_id, key_id, role, name, email, created_at, revoked_at
FROM api_keys
WHERE account_id = $1
ORDER BY key_id

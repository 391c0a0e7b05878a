UPDATE api_keys
SET revoked_at = now()
WHERE account_id = $1 AND name = $2 AND revoked_at IS NULL
RETURNING key_id

UPDATE api_keys
SET revoked_at = coalesce(revoked_at, now())
WHERE account_id = $1 AND key_id = $2
RETURNING account_id, key_id, role, name, email, created_at, revoked_at

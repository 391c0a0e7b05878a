SELECT account_id, role, email, secret_sha256, revoked_at IS NOT NULL AS revoked
FROM api_keys
WHERE key_id = $1

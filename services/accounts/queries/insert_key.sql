INSERT INTO api_keys (account_id, key_id, secret_sha256, role, name, email)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING created_at

SELECT EXISTS (SELECT FROM api_keys WHERE account_id = $1 AND name = $2 AND role = $3 AND revoked_at IS NULL)

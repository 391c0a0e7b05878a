SELECT account_id, upload_id FROM uploads WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1

UPDATE uploads SET state = 'ABANDONED', expires_at = least(expires_at, clock_timestamp()) WHERE account_id = $1 AND upload_id = $2 AND state = 'OPEN'

UPDATE uploads SET state = 'EXPIRED'
WHERE account_id = $1 AND upload_id = $2 AND expires_at <= clock_timestamp()
RETURNING object, multipart

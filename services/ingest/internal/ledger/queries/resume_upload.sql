UPDATE uploads
SET writer = writer + 1, expires_at = greatest(expires_at, clock_timestamp() + $3::double precision * interval '1 second')
WHERE account_id = $1 AND upload_id = $2 AND state = 'OPEN' AND expires_at > clock_timestamp()
RETURNING upload_id, request_id, file_name, size, sha256, settings, object, multipart, parts, "offset", hash_state, writer, expires_at

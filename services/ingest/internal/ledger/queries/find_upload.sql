SELECT upload_id, request_id, file_name, size, sha256, settings, object, multipart, parts, "offset", hash_state, writer, expires_at
FROM uploads
WHERE account_id = $1 AND request_id = $2 AND state = 'OPEN' AND expires_at > clock_timestamp()
ORDER BY "offset" DESC, opened_at DESC
LIMIT 1

INSERT INTO uploads (account_id, upload_id, request_id, file_name, size, sha256, settings, object, opened_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp(), clock_timestamp() + $9::double precision * interval '1 second')
RETURNING expires_at

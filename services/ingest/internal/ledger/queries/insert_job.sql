INSERT INTO jobs (account_id, job_id, number, state, check_only, request_id, body_hash, settings, account, submitted_by, submitter_email,
    file_name, file_object, file_size, file_sha256, upload_id, retry_of, created_at, last_event, kind, undo_of, undo_of_number, started_at, file_kept,
    confirmed, forecast_of, forecast_of_number)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)

-- By id, or by number where the id is nil.
SELECT job_id, number, account_id, state, check_only, turn, confirmed, request_id, body_hash, settings, account, submitted_by, submitter_email,
       file_name, file_object, file_size, file_sha256, upload_id, retry_of, kind, undo_of, undo_of_number, created_at, started_at, ended_at, rows, added, updated,
       unchanged, duplicate, unmatched, invalid, conflict, held, suppressed, blank, sent_to_provider, known_to_provider, newer_here, removed, validated, problem,
       question, asked_by, columns, file, unknown_values, leave_token, last_event, file_kept, work_kept,
       headings_key, like_number, shares, forecast, cost, plan, approved_by, corrects,
       corrects_number, forecast_of, forecast_of_number, enriched_later
FROM jobs
WHERE account_id = $1 AND (job_id = $2 OR number = $3)

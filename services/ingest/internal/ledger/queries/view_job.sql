-- By id, or by number where the id is nil.
SELECT j.job_id, j.number, j.account_id, j.state, j.check_only, j.turn, j.confirmed, j.request_id, j.body_hash, j.settings, j.account,
       j.submitted_by, j.submitter_email, j.file_name, j.file_object, j.file_size, j.file_sha256, j.upload_id, j.retry_of, j.kind, j.undo_of,
       j.undo_of_number, j.created_at, j.started_at, j.ended_at, j.rows, j.added, j.updated, j.unchanged, j.duplicate, j.unmatched, j.invalid, j.conflict, j.held,
       j.suppressed, j.blank, j.sent_to_provider, j.known_to_provider, j.newer_here, j.removed, j.validated, j.problem, j.question, j.asked_by, j.columns, j.file, j.unknown_values,
       j.leave_token, j.last_event, j.file_kept, j.work_kept,
       j.headings_key, j.like_number, j.shares, j.forecast, j.cost, j.plan, j.approved_by, j.corrects,
       j.corrects_number, j.forecast_of, j.forecast_of_number, j.enriched_later,
       CASE WHEN j.state IN ('QUEUED', 'VALIDATING', 'READY') THEN p.ahead END AS ahead,
       CASE WHEN j.state IN ('QUEUED', 'VALIDATING', 'READY') THEN clock_timestamp() + p.seconds * interval '1 second' END AS estimated_start,
       s.stage AS at_stage, s.done, s.total, s.rate, s.progress_at, clock_timestamp() AS now
FROM jobs j
LEFT JOIN places p ON p.account_id = j.account_id AND p.job_id = j.job_id
LEFT JOIN stages s ON s.account_id = j.account_id AND s.job_id = j.job_id AND s.state = 'CLAIMED' AND s.stage <> 'notify'
WHERE j.account_id = $1 AND (j.job_id = $2 OR j.number = $3)

UPDATE jobs
SET state = $3, turn = $4, confirmed = $5, settings = $6, started_at = $7, ended_at = $8, rows = $9, added = $10, updated = $11, unchanged =
    $12, duplicate = $13, unmatched = $14, invalid = $15, conflict = $16, held = $17, suppressed = $18, blank = $19, sent_to_provider = $20,
    known_to_provider = $21, validated = $22, problem = $23, question = $24, asked_by = $25, columns = $26, leave_token = $27, last_event =
    $28, file = $29, unknown_values = $30, newer_here = $31, removed = $32, headings_key = $33, like_number = $34,
    shares = $35, forecast = $36, cost = $37, plan = $38, approved_by = $39, corrects = $40, corrects_number = $41, enriched_later = $42
WHERE account_id = $1 AND job_id = $2

SELECT job_id, stage, round FROM stages
WHERE account_id = $1 AND state = 'RUNNABLE' AND rung_at IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
ORDER BY opened_at, job_id, stage, round
LIMIT $2

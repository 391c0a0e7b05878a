UPDATE stages SET rung_at = clock_timestamp(), rings = rings + 1
WHERE account_id = $1 AND job_id = $2 AND stage = $3 AND round = $4 AND state = 'RUNNABLE' AND rung_at IS NULL
  AND (not_before IS NULL OR not_before <= clock_timestamp())

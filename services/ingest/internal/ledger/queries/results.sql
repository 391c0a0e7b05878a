SELECT stage, result FROM stages
WHERE account_id = $1 AND job_id = $2 AND state = 'DONE' AND result IS NOT NULL AND stage <> 'notify'
ORDER BY round

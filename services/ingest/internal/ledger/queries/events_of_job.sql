SELECT number, type, job_id, job_number, state, at, counts, problem
FROM events
WHERE account_id = $1 AND job_id = $2 AND number > $3
ORDER BY number
LIMIT $4

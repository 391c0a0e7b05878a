SELECT number, type, job_id, job_number, state, at, counts, problem
FROM events
WHERE account_id = $1 AND number > $2
ORDER BY number
LIMIT $3

SELECT number, type, job_id, job_number, state, at, counts, problem,
       coalesce((SELECT j.undo_of_number FROM jobs j WHERE j.account_id = e.account_id AND j.job_id = e.job_id), 0) AS undo_of_number
FROM events e
WHERE account_id = $1 AND job_id = $2 AND number > $3
ORDER BY number
LIMIT $4

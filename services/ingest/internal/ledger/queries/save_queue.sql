UPDATE queues SET last_number = $2, last_event = $3, row_pace = $4, job_seconds = $5 WHERE account_id = $1

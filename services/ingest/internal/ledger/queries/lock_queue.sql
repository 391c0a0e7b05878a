SELECT last_number, last_event, row_pace, job_seconds FROM queues WHERE account_id = $1 FOR UPDATE

UPDATE stages SET rung_at = NULL
WHERE account_id = $1 AND state = 'RUNNABLE' AND rung_at < clock_timestamp() - $2::double precision * interval '1 second'

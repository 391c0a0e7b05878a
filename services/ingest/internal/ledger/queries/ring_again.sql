-- Each further ring of the same work waits twice as long, up to 16 times: under a backlog the rings before are still queued.
UPDATE stages SET rung_at = NULL
WHERE account_id = $1 AND state = 'RUNNABLE' AND rung_at < clock_timestamp() - $2::double precision * interval '1 second'
  AND rung_at < clock_timestamp() - $2::double precision * 2 ^ least(greatest(rings - 1, 0), 4) * interval '1 second'

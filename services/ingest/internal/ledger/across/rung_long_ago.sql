-- Accounts with runnable work that was rung long ago and nobody claimed.
SELECT DISTINCT account_id FROM stages
WHERE state = 'RUNNABLE' AND rung_at < clock_timestamp() - $1::double precision * interval '1 second'
  AND rung_at < clock_timestamp() - $1::double precision * 2 ^ least(greatest(rings - 1, 0), 4) * interval '1 second'
LIMIT $2

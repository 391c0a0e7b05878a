-- A result once saved stays.
UPDATE stages
SET state = $5, rings = CASE WHEN $5 = 'CLAIMED' THEN 0 ELSE rings END, ended_at = $6, rung_at = $7, not_before = $8, token = $9, instance = $10,
    incarnation = $11, lease_until = $12, lost_token = $13, lost_instance = $14, lost_incarnation = $15, lost_at = $16, faults = $17,
    leases_lost = $18, instances_lost = $19, waits = $20, done = $21, total = $22, rate = $23, progress_at = $24, code = $25, message = $26,
    result = coalesce($27, result)
WHERE account_id = $1 AND job_id = $2 AND stage = $3 AND round = $4

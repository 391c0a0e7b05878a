SELECT s.stage, s.round, s.state, s.notice, s.opened_at, s.ended_at, s.rung_at, s.not_before, s.token, s.instance, s.incarnation, s.lease_until,
       s.lost_token, s.lost_instance, s.lost_incarnation, s.lost_at, s.faults, s.leases_lost, s.instances_lost, s.waits, s.done, s.total, s.rate,
       s.progress_at, s.code, s.message, holder.last_seen AS holder_seen, loser.last_seen AS loser_seen
FROM stages s
LEFT JOIN instances holder ON holder.instance = s.instance AND holder.incarnation = s.incarnation
LEFT JOIN instances loser ON loser.instance = s.lost_instance AND loser.incarnation = s.lost_incarnation
WHERE s.account_id = $1 AND s.job_id = $2
ORDER BY s.opened_at, s.stage, s.round

SELECT e.number, e.type, e.job_id, e.job_number, e.state, e.at, e.counts, e.problem
FROM outbox o JOIN events e ON e.account_id = o.account_id AND e.number = o.number
WHERE o.account_id = $1
ORDER BY o.number
LIMIT $2

SELECT f.job_number
FROM contacts.fences f
JOIN pg_locks l ON l.pid = f.backend_pid
WHERE f.account_id = $1
  AND l.granted AND l.locktype = 'relation' AND l.relation = 'contacts.holdings'::regclass
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1

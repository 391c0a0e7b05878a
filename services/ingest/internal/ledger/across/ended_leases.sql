-- Jobs with a lease that ended.
SELECT DISTINCT account_id, job_id FROM stages WHERE state = 'CLAIMED' AND lease_until < clock_timestamp() LIMIT $1

-- Jobs with a lease of an earlier life of an instance.
SELECT DISTINCT s.account_id, s.job_id
FROM stages s
WHERE s.state = 'CLAIMED' AND s.instance = $1 AND s.incarnation <> $2

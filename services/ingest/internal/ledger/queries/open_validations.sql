-- The lowest-numbered QUEUED jobs are opened for validation, as many as there is room for among $3.
WITH room AS (
    SELECT greatest($3::bigint - count(*), 0) AS n
    FROM stages
    WHERE account_id = $1 AND stage = 'validate' AND state IN ('RUNNABLE', 'CLAIMED')
), next AS (
    SELECT j.job_id
    FROM jobs j
    WHERE j.account_id = $1 AND j.ended_at IS NULL AND j.state = 'QUEUED'
      AND NOT EXISTS (SELECT FROM stages s WHERE s.account_id = $1 AND s.job_id = j.job_id AND s.stage = 'validate' AND s.state IN ('RUNNABLE', 'CLAIMED'))
    ORDER BY j.number
    LIMIT (SELECT n FROM room)
)
INSERT INTO stages (account_id, job_id, stage, round, state, opened_at)
SELECT $1, next.job_id, 'validate', 1 + coalesce((SELECT max(s.round) FROM stages s WHERE s.account_id = $1 AND s.job_id = next.job_id AND s.stage = 'validate'), 0),
       'RUNNABLE', $2
FROM next
RETURNING job_id, stage, round

-- The lowest-numbered READY job gets the turn, unless a job has it or a lower one may still become READY by itself.
WITH next AS (
    SELECT j.job_id
    FROM jobs j
    WHERE j.account_id = $1 AND j.ended_at IS NULL AND j.state = 'READY' AND NOT j.check_only
      AND NOT EXISTS (SELECT FROM jobs h WHERE h.account_id = $1 AND h.turn)
      AND NOT EXISTS (SELECT FROM jobs l WHERE l.account_id = $1 AND l.ended_at IS NULL AND l.number < j.number AND NOT l.check_only
                                          AND l.state IN ('QUEUED', 'VALIDATING'))
    ORDER BY j.number
    LIMIT 1
), given AS (
    UPDATE jobs j SET turn = true, started_at = $2 FROM next WHERE j.account_id = $1 AND j.job_id = next.job_id
    RETURNING j.job_id, CASE j.kind WHEN 'undo' THEN 'merge' ELSE 'match' END AS stage
)
INSERT INTO stages (account_id, job_id, stage, round, state, opened_at)
SELECT $1, given.job_id, given.stage, 1 + coalesce((SELECT max(s.round) FROM stages s WHERE s.account_id = $1 AND s.job_id = given.job_id AND s.stage = given.stage), 0),
       'RUNNABLE', $2
FROM given
RETURNING job_id, stage, round

-- Jobs that take effect before $2, number $3, would: of a check they are those that are there; of the forecast of a job that has
-- not ended, $4, those that go before that one.
SELECT count(*)
FROM jobs j
LEFT JOIN jobs f ON f.account_id = $1 AND f.job_id = $4 AND f.ended_at IS NULL
WHERE j.account_id = $1 AND j.ended_at IS NULL AND NOT j.check_only AND j.state NOT IN ('NEEDS_ANSWER', 'AWAITING_APPROVAL')
  AND j.job_id <> $2 AND j.job_id IS DISTINCT FROM f.job_id
  AND (j.turn OR NOT coalesce(f.turn, false) AND j.number < coalesce(f.number, $3))

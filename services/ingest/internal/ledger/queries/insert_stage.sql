INSERT INTO stages (account_id, job_id, stage, round, state, notice, opened_at)
VALUES ($1, $2, $3, $4, 'RUNNABLE', $5, $6)

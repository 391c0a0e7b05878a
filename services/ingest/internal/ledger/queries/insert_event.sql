WITH inserted AS (
    INSERT INTO events (account_id, number, type, job_id, job_number, state, at, counts, problem)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
)
INSERT INTO outbox (account_id, number) VALUES ($1, $2)

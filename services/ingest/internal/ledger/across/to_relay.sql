-- Accounts with something to ring or to publish.
SELECT account_id FROM stages WHERE state = 'RUNNABLE' AND rung_at IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
UNION
SELECT account_id FROM outbox
LIMIT $1

-- Under the row lock, which jobs are accepted under.
DELETE FROM frozen_fields f
WHERE account_id = $1
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.account_id = $1 AND j.ended_at IS NULL AND j.account ->> 'fields_hash' = f.hash)

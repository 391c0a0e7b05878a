SELECT DISTINCT account_id FROM frozen_fields f
WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.account_id = f.account_id AND j.ended_at IS NULL AND j.account ->> 'fields_hash' = f.hash)
LIMIT $1

SELECT f.fields FROM jobs j JOIN frozen_fields f ON f.account_id = j.account_id AND f.hash = j.account ->> 'fields_hash'
WHERE j.account_id = $1 AND j.job_id = $2

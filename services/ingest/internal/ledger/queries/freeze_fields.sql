INSERT INTO frozen_fields (account_id, hash, fields) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

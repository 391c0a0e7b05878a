INSERT INTO accounts (account_id, name, country, package, recipients, raw_days, result_days, bad_cell, unknown_to_provider, legacy_encoding)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING created_at

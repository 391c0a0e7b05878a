INSERT INTO accounts (account_id, name, country, package, recipients, raw_days, result_days, bad_cell, unknown_to_provider, legacy_encoding, rules, hand_made, match_by, provider_down, provider_days)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
RETURNING created_at

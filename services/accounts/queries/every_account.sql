SELECT account_id, name, country, package, recipients, raw_days, result_days, bad_cell, unknown_to_provider, legacy_encoding, created_at
FROM accounts
ORDER BY name

SELECT account_id, name, country, package, recipients, raw_days, result_days, bad_cell, unknown_to_provider, legacy_encoding, rules, hand_made, match_by, provider_down, provider_days, created_at
FROM accounts
ORDER BY name

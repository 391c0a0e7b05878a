UPDATE accounts
SET country = coalesce($2, country),
    package = coalesce($3, package),
    recipients = coalesce($4::text[], recipients),
    raw_days = coalesce($5, raw_days),
    result_days = coalesce($6, result_days),
    bad_cell = coalesce($7, bad_cell),
    unknown_to_provider = coalesce($8, unknown_to_provider),
    legacy_encoding = coalesce($9, legacy_encoding),
    rules = coalesce($10::jsonb, rules),
    hand_made = coalesce($11, hand_made),
    match_by = coalesce($12::text[], match_by),
    provider_down = coalesce($13, provider_down),
    provider_days = coalesce($14, provider_days)
WHERE account_id = $1
RETURNING account_id, name, country, package, recipients, raw_days, result_days, bad_cell, unknown_to_provider, legacy_encoding, rules, hand_made, match_by, provider_down, provider_days, created_at

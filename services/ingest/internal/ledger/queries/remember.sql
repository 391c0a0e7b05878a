-- What is said now is added to what was said before; of the values by field.
INSERT INTO remembered AS r (account_id, headings_key, mapping, date_order, values, used_at)
VALUES ($1, $2, $3::jsonb, $4, $5::jsonb, $6)
ON CONFLICT (account_id, headings_key) DO UPDATE
SET mapping = r.mapping || excluded.mapping,
    date_order = coalesce(nullif(excluded.date_order, ''), r.date_order),
    values = r.values || (SELECT coalesce(jsonb_object_agg(e.key, coalesce(r.values -> e.key, '{}') || e.value), '{}') FROM jsonb_each(excluded.values) e),
    used_at = excluded.used_at

UPDATE remembered SET used_at = greatest(used_at, clock_timestamp())
WHERE account_id = $1 AND headings_key = $2
RETURNING mapping, date_order, values

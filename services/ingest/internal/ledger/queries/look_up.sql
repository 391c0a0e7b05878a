SELECT mapping, date_order, values FROM remembered
WHERE account_id = $1 AND headings_key = $2

SELECT number, name, label, type, required, coalesce(key, 0), max_length, headings, created_at
FROM fields
WHERE account_id = $1 AND retired_at IS NULL
ORDER BY number

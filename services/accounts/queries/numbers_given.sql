SELECT coalesce(max(number), 255), coalesce(max(key), 7)
FROM fields
WHERE account_id = $1

SELECT c.number, c.code, c.label, c.retired
FROM codes c
JOIN fields f USING (account_id, number)
WHERE c.account_id = $1 AND f.retired_at IS NULL
ORDER BY c.number, c.position

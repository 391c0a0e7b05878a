DELETE FROM remembered
WHERE account_id = $1
  AND headings_key IN (SELECT headings_key FROM remembered WHERE account_id = $1 ORDER BY used_at DESC, headings_key OFFSET $2)

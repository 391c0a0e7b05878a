DELETE FROM seen_files
WHERE account_id = $1
  AND headings_key IN (SELECT headings_key FROM seen_files WHERE account_id = $1 ORDER BY used_at DESC, headings_key OFFSET $2)

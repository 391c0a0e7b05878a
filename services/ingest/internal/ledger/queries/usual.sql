-- Of the same columns, or else of those that are most like them.
SELECT shares FROM seen_files
WHERE account_id = $1
  AND (headings_key = $2 OR headings_key = (SELECT j.headings_key FROM jobs j WHERE j.account_id = $1 AND j.number = $3))
ORDER BY (headings_key = $2) DESC NULLS LAST
LIMIT 1

SELECT job_number, columns
FROM (
    SELECT job_number, columns, used_at FROM seen_files WHERE account_id = $1
    ORDER BY headings_key = $2 DESC, used_at DESC
    LIMIT $3
) latest
ORDER BY used_at DESC

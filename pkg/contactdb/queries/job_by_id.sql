SELECT job_id, coalesce(number, 0), applied_at
FROM contacts.applied
WHERE account_id = $1 AND job_id = $2

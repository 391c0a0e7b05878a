SELECT job_id, number, applied_at
FROM contacts.applied
WHERE account_id = $1 AND number = ANY ($2::bigint[])

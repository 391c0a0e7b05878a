-- A job's contacts lie together in the primary key.
SELECT contact_id
FROM contacts.contacts
WHERE account_id = $1 AND contact_id > $2 AND created_job = $4
    AND contact_id BETWEEN (SELECT first_made FROM contacts.applied WHERE account_id = $1 AND job_id = $4)
        AND (SELECT last_made FROM contacts.applied WHERE account_id = $1 AND job_id = $4)
ORDER BY contact_id
LIMIT $3

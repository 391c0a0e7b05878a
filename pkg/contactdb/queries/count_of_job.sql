-- A job's contacts lie together in the primary key.
SELECT count(*)
FROM contacts.contacts
WHERE account_id = $1 AND created_job = $2
    AND contact_id BETWEEN (SELECT first_made FROM contacts.applied WHERE account_id = $1 AND job_id = $2)
        AND (SELECT last_made FROM contacts.applied WHERE account_id = $1 AND job_id = $2)

-- A job's contacts lie together in the primary key.
SELECT count(*)
FROM contacts.list_members m
JOIN contacts.contacts c ON c.account_id = m.account_id AND c.contact_id = m.contact_id
WHERE m.account_id = $1 AND m.list_id = $2 AND c.created_job = $3
    AND m.contact_id BETWEEN (SELECT first_made FROM contacts.applied WHERE account_id = $1 AND job_id = $3)
        AND (SELECT last_made FROM contacts.applied WHERE account_id = $1 AND job_id = $3)

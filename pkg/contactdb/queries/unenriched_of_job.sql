-- A job's contacts lie together in the primary key. A value that was changed since the job made its contact is none that it
-- brought. What was asked about has the hash of its value beside its facts, whatever these say.
SELECT u.contact_id, u.phone, u.phone_hash, u.email, u.email_hash
FROM (
    SELECT contact_id,
           CASE WHEN asks_phone THEN phone END AS phone, CASE WHEN asks_phone THEN phone_hash END AS phone_hash,
           CASE WHEN asks_email THEN email END AS email, CASE WHEN asks_email THEN email_hash END AS email_hash
    FROM contacts.contacts
    CROSS JOIN LATERAL (
        SELECT phone_hash IS DISTINCT FROM phone_facts_hash AND contacts.origin_of(origins, 'phone', 16) IS NULL AS asks_phone,
               email_hash IS DISTINCT FROM email_facts_hash AND contacts.origin_of(origins, 'email', 32) IS NULL AS asks_email
    ) AS a
    WHERE account_id = $1 AND contact_id > $2 AND created_job = $4
        AND contact_id BETWEEN (SELECT first_made FROM contacts.applied WHERE account_id = $1 AND job_id = $4)
            AND (SELECT last_made FROM contacts.applied WHERE account_id = $1 AND job_id = $4)
) AS u
WHERE u.phone IS NOT NULL OR u.email IS NOT NULL
ORDER BY u.contact_id
LIMIT $3

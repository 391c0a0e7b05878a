SELECT u.hash, k.contact_id
FROM unnest($2::uuid[]) AS u (hash)
CROSS JOIN LATERAL (
    SELECT f.contact_id
    FROM contacts.contact_fallbacks f
    WHERE f.account_id = $1 AND f.hash = u.hash
    ORDER BY f.contact_id
    LIMIT 20
) k

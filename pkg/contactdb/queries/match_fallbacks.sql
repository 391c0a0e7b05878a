SELECT u.n::integer, k.contact_id
FROM unnest($2::uuid[]) WITH ORDINALITY AS u (hash, n)
CROSS JOIN LATERAL (
    SELECT f.contact_id
    FROM contacts.contact_fallbacks f
    WHERE f.account_id = $1 AND f.hash = u.hash
    ORDER BY f.contact_id
    LIMIT 20
) k

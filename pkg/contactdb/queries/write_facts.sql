-- Whoever runs this holds the account's row with others, so that no key changes: locked in the order of the ids, two that write
-- the same contacts wait for each other at most.
WITH said AS (
    SELECT c.contact_id, c.phone_hash = s.phone_hash AS phone, s.phone_hash, s.phone_facts, c.email_hash = s.email_hash AS email, s.email_hash, s.email_facts
    FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[]) AS s (contact_id, phone_hash, phone_facts, email_hash, email_facts)
    JOIN contacts.contacts c ON c.account_id = $1 AND c.contact_id = s.contact_id
    WHERE c.phone_hash = s.phone_hash AND (c.phone_facts_hash IS DISTINCT FROM s.phone_hash OR c.phone_facts::text IS DISTINCT FROM s.phone_facts)
        OR c.email_hash = s.email_hash AND (c.email_facts_hash IS DISTINCT FROM s.email_hash OR c.email_facts::text IS DISTINCT FROM s.email_facts)
    ORDER BY c.contact_id
    FOR UPDATE OF c
)
UPDATE contacts.contacts c
SET phone_facts_hash = CASE WHEN s.phone THEN s.phone_hash ELSE c.phone_facts_hash END,
    phone_facts = CASE WHEN s.phone THEN s.phone_facts::json ELSE c.phone_facts END,
    email_facts_hash = CASE WHEN s.email THEN s.email_hash ELSE c.email_facts_hash END,
    email_facts = CASE WHEN s.email THEN s.email_facts::json ELSE c.email_facts END
FROM said s
WHERE c.account_id = $1 AND c.contact_id = s.contact_id

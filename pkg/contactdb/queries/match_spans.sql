-- The id first, then the external id's hash. OFFSET 0 keeps the spans apart, so that each is one scan of the index.
SELECT c.*
FROM unnest($2::uuid[], $3::uuid[]) AS s (first, last)
CROSS JOIN LATERAL (
    SELECT contact_id, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash, vat_number_hash,
        own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash
    FROM contacts.contacts
    WHERE account_id = $1 AND contact_id BETWEEN s.first AND s.last
    OFFSET 0
) c

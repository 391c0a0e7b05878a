INSERT INTO contacts.contact_keys (account_id, hash, key, contact_id)
SELECT $1, u.hash, u.key, $2
FROM unnest($3::uuid[], $4::smallint[]) AS u (hash, key)

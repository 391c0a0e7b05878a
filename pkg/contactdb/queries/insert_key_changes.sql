INSERT INTO contacts.key_changes (account_id, version, hash, key, contact_id)
SELECT $1, $2, u.hash, u.key, $3
FROM unnest($4::uuid[], $5::smallint[]) AS u (hash, key)

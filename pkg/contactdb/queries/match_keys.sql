SELECT u.n::integer, k.contact_id
FROM unnest($2::uuid[]) WITH ORDINALITY AS u (hash, n)
JOIN contacts.contact_keys k ON k.account_id = $1 AND k.hash = u.hash

SELECT u.n::integer, c.external_id_hash
FROM unnest($2::uuid[]) WITH ORDINALITY AS u (contact_id, n)
JOIN contacts.contacts c ON c.account_id = $1 AND c.contact_id = u.contact_id

SELECT m.contact_id, l.name
FROM contacts.list_members m
JOIN contacts.lists l ON l.account_id = m.account_id AND l.list_id = m.list_id
WHERE m.account_id = $1 AND m.contact_id = ANY ($2::uuid[])
ORDER BY l.name

SELECT count(*)
FROM contacts.list_members m
JOIN contacts.contacts c ON c.account_id = m.account_id AND c.contact_id = m.contact_id
WHERE m.account_id = $1 AND m.list_id = $2 AND c.created_job = $3

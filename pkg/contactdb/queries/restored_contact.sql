-- The jobs that made a contact again which another had removed.
SELECT r.job_id, coalesce(a.number, 0), coalesce(u.number, 0), a.applied_at
FROM contacts.restored r
JOIN contacts.applied a ON a.account_id = r.account_id AND a.job_id = r.job_id
LEFT JOIN contacts.applied u ON u.account_id = a.account_id AND u.job_id = a.undo_of
WHERE r.account_id = $1 AND r.contact_id = $2 AND r.whole

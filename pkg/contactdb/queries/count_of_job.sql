SELECT count(*)
FROM contacts.contacts
WHERE account_id = $1 AND created_job = $2

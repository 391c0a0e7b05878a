-- What a contact was before each of its changes, newest first: a person's have the id of their edit for the job's.
SELECT j.job_id, j.line, j.fields, j.changed_at, j.changed_by, j.origins, coalesce(a.number, 0), coalesce(u.number, 0),
    j.name_birth_zip_hash, j.phone_hash, j.email_hash, j.ssn_hash, j.account_number_hash, j.external_id_hash, j.vat_number_hash,
    j.first_name, j.last_name, j.full_name, j.phone, j.email, to_char(j.birth_date, 'YYYY-MM-DD') AS birth_date,
    CASE WHEN j.ssn IS NOT NULL THEN 'sealed' END AS ssn, j.account_number, j.zip, j.external_id, j.address, j.city,
    j.state, j.country, j.company, j.vat_number,
    j.own, j.own_8_hash, j.own_9_hash, j.own_10_hash, j.own_11_hash, j.own_12_hash, j.own_13_hash, j.own_14_hash, j.own_15_hash
FROM contacts.journal j
LEFT JOIN contacts.applied a ON a.account_id = j.account_id AND a.job_id = j.job_id
LEFT JOIN contacts.applied u ON u.account_id = a.account_id AND u.job_id = a.undo_of
WHERE j.account_id = $1 AND j.contact_id = $2
ORDER BY j.changed_at DESC, j.job_id DESC
LIMIT $3

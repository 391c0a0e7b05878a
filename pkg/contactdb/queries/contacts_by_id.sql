SELECT contact_id, created_job, coalesce(created_line, 0), created_at, updated_at, origins,
       CASE WHEN phone_facts_hash = phone_hash THEN phone_facts END AS phone_facts,
       CASE WHEN email_facts_hash = email_hash THEN email_facts END AS email_facts,
       name_birth_zip_hash, phone_hash, email_hash, ssn_hash, account_number_hash, external_id_hash, vat_number_hash,
       first_name, last_name, full_name, phone, email, to_char(birth_date, 'YYYY-MM-DD') AS birth_date,
       CASE WHEN ssn IS NOT NULL THEN 'sealed' END AS ssn,
       account_number, zip, external_id, address, city, state, country, company, vat_number, own,
       own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash
FROM contacts.contacts
WHERE account_id = $1 AND contact_id = ANY ($2::uuid[])

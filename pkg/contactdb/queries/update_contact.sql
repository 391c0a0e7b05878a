-- $28 has an entry for each own field that changes, null for one that is cleared; $37 tells whether the SSN changes.
UPDATE contacts.contacts
SET updated_at = $3, origins = $4, name_birth_zip_hash = $5,
    phone_hash = $6, email_hash = $7, ssn_hash = $8, account_number_hash = $9, external_id_hash = $10, vat_number_hash = $11,
    first_name = $12, last_name = $13, full_name = $14, phone = $15, email = $16, birth_date = $17::text::date,
    account_number = $18, zip = $19, external_id = $20, address = $21, city = $22, state = $23, country = $24, company = $25,
    vat_number = $26, ssn = CASE WHEN $37 THEN $27 ELSE ssn END,
    own = CASE WHEN $28::jsonb IS NULL THEN own ELSE nullif(jsonb_strip_nulls(coalesce(own, '{}') || $28::jsonb), '{}') END,
    own_8_hash = $29, own_9_hash = $30, own_10_hash = $31, own_11_hash = $32, own_12_hash = $33, own_13_hash = $34, own_14_hash = $35, own_15_hash = $36
WHERE account_id = $1 AND contact_id = $2

INSERT INTO contacts.contacts (account_id, contact_id, created_at, updated_at, origins, name_birth_zip_hash,
    phone_hash, email_hash, ssn_hash, account_number_hash, external_id_hash, vat_number_hash,
    first_name, last_name, full_name, phone, email, birth_date, account_number, zip, external_id, address, city, state,
    country, company, vat_number, ssn, own,
    own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash)
VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::text::date, $18, $19, $20, $21, $22,
    $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36)

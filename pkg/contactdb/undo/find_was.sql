insert into was (row, contact_id, line, fields, origins, first_name, last_name, full_name, phone, email, birth_date, ssn, account_number, zip, external_id,
    address, city, state, country, company, vat_number, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash,
    vat_number_hash, name_birth_zip_hash, own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash,
    own_14_hash, own_15_hash)
select row_number() over (order by contact_id), contact_id, line, fields, origins, first_name, last_name, full_name, phone, email, birth_date, ssn, account_number, zip, external_id,
    address, city, state, country, company, vat_number, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash,
    vat_number_hash, name_birth_zip_hash, own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash,
    own_14_hash, own_15_hash
from contacts.journal
where account_id = $1 and job_id = $2
order by contact_id

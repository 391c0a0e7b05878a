-- The ids grow with the rows, so that the order of staged is the order of the primary key.
insert into contacts.contacts (account_id, contact_id, created_job, created_line, phone_facts_hash, email_facts_hash,
    first_name, last_name, full_name, phone, email, birth_date, ssn, account_number, zip, external_id, address, city,
    state, country, company, vat_number, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash,
    vat_number_hash, name_birth_zip_hash, phone_facts, email_facts, as_of
    , own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash -- own
)
select $1, contact_id, $2, line,
    case when phone_facts is not null then phone_hash end, case when email_facts is not null then email_hash end,
    first_name, last_name, full_name, phone, email, birth_date, ssn, account_number, zip, external_id, address, city,
    state, country, company, vat_number, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash,
    vat_number_hash, name_birth_zip_hash, phone_facts, email_facts, to_timestamp(as_of)
    , own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash -- own
from staged
where not known

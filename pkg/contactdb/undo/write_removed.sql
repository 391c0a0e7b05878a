-- Keeps the contacts that are removed, for who takes this undo back. They lie where they were found, in the order of the primary key.
insert into contacts.removed (account_id, job_id, contact_id, created_job, created_line, created_at, updated_at, external_id_hash, email_hash, phone_hash,
    account_number_hash, ssn_hash, vat_number_hash, name_birth_zip_hash, phone_facts_hash, email_facts_hash, birth_date,
    external_id, first_name, last_name, full_name, email, phone, account_number, zip, address, city, state, country, company,
    vat_number, ssn, phone_facts, email_facts, origins, own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash,
    own_13_hash, own_14_hash, own_15_hash, as_of)
select $1, $2, c.contact_id, c.created_job, c.created_line, c.created_at, c.updated_at, c.external_id_hash, c.email_hash,
    c.phone_hash, c.account_number_hash, c.ssn_hash, c.vat_number_hash, c.name_birth_zip_hash, c.phone_facts_hash, c.email_facts_hash,
    c.birth_date, c.external_id, c.first_name, c.last_name, c.full_name, c.email, c.phone, c.account_number, c.zip, c.address, c.city,
    c.state, c.country, c.company, c.vat_number, c.ssn, c.phone_facts, c.email_facts, c.origins, c.own, c.own_8_hash, c.own_9_hash,
    c.own_10_hash, c.own_11_hash, c.own_12_hash, c.own_13_hash, c.own_14_hash, c.own_15_hash, c.as_of
from undone u
join contacts.contacts c on c.ctid = u.place and c.account_id = $1 and c.contact_id = u.contact_id
where u.found = 3

-- Contacts come back whole.
insert into contacts.contacts (account_id, contact_id, created_job, created_line, created_at, updated_at, external_id_hash, email_hash, phone_hash,
    account_number_hash, ssn_hash, vat_number_hash, name_birth_zip_hash, phone_facts_hash, email_facts_hash, birth_date,
    external_id, first_name, last_name, full_name, email, phone, account_number, zip, address, city, state, country, company,
    vat_number, ssn, phone_facts, email_facts, origins, own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash,
    own_13_hash, own_14_hash, own_15_hash, as_of)
select $1, r.contact_id, r.created_job, r.created_line, r.created_at, r.updated_at, r.external_id_hash, r.email_hash, r.phone_hash,
    r.account_number_hash, r.ssn_hash, r.vat_number_hash, r.name_birth_zip_hash, r.phone_facts_hash, r.email_facts_hash, r.birth_date,
    r.external_id, r.first_name, r.last_name, r.full_name, r.email, r.phone, r.account_number, r.zip, r.address, r.city, r.state, r.country, r.company,
    r.vat_number, r.ssn, r.phone_facts, r.email_facts, r.origins, r.own, r.own_8_hash, r.own_9_hash, r.own_10_hash, r.own_11_hash, r.own_12_hash,
    r.own_13_hash, r.own_14_hash, r.own_15_hash, r.as_of
from undone u
cross join lateral (
    select *
    from contacts.removed x
    where x.account_id = $1 and x.job_id = $2 and x.contact_id = u.contact_id
    offset 0
) as r
where u.found = 5
order by r.contact_id

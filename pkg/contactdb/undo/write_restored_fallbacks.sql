insert into contacts.contact_fallbacks (account_id, hash, contact_id)
select $1, r.name_birth_zip_hash, r.contact_id
from undone u
join contacts.removed r on r.account_id = $1 and r.job_id = $2 and r.contact_id = u.contact_id
where u.found = 5 and r.name_birth_zip_hash is not null
order by r.name_birth_zip_hash

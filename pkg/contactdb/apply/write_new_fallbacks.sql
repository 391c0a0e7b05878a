insert into contacts.contact_fallbacks (account_id, hash, contact_id)
select $1, name_birth_zip_hash, contact_id
from staged
where not known and name_birth_zip_hash is not null
order by name_birth_zip_hash

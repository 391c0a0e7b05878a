insert into contacts.contact_fallbacks (account_id, hash, contact_id)
select $1, d.name_birth_zip_hash, d.contact_id
from changed d
join contacts.contacts c on c.account_id = $1 and c.contact_id = d.contact_id
where d.fields & 582 <> 0 and d.name_birth_zip_hash is not null
    and c.name_birth_zip_hash is distinct from d.name_birth_zip_hash
order by d.name_birth_zip_hash

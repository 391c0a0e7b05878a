insert into contacts.contact_fallbacks (account_id, hash, contact_id)
select $1, d.name_birth_zip_hash, d.contact_id
from changed d
cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c
where d.fields & 582 <> 0 and d.name_birth_zip_hash is not null
    and c.name_birth_zip_hash is distinct from d.name_birth_zip_hash
order by d.name_birth_zip_hash

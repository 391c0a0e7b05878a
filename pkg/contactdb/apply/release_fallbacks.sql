delete from contacts.contact_fallbacks f
using (
    select c.contact_id, c.name_birth_zip_hash as hash
    from changed d
    join contacts.contacts c on c.account_id = $1 and c.contact_id = d.contact_id
    where d.fields & 582 <> 0 and c.name_birth_zip_hash is not null
        and c.name_birth_zip_hash is distinct from d.name_birth_zip_hash
) as gone
where f.account_id = $1 and f.hash = gone.hash and f.contact_id = gone.contact_id

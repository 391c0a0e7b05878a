-- Takes back the fallback keys of contacts that are removed.
delete from contacts.contact_fallbacks f
using (
    select c.contact_id, c.name_birth_zip_hash as hash
    from undone u
    join contacts.contacts c on c.account_id = $1 and c.contact_id = u.contact_id
    where u.found = 3 and c.name_birth_zip_hash is not null
) as gone
where f.account_id = $1 and f.hash = gone.hash and f.contact_id = gone.contact_id

delete from contacts.contact_fallbacks f
using (
    select f.ctid as place
    from changed d
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c
    cross join lateral (
        select x.ctid from contacts.contact_fallbacks x where x.account_id = $1 and x.hash = c.name_birth_zip_hash and x.contact_id = c.contact_id offset 0) as f
    where d.fields & 582 <> 0 and c.name_birth_zip_hash is not null
        and c.name_birth_zip_hash is distinct from d.name_birth_zip_hash
) as gone
where f.account_id = $1 and f.ctid = gone.place

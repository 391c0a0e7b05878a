-- Takes back the fallback keys of contacts that are removed.
delete from contacts.contact_fallbacks f
using (
    select f.ctid as place
    from undone u
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = u.contact_id offset 0) as c
    cross join lateral (
        select x.ctid from contacts.contact_fallbacks x where x.account_id = $1 and x.hash = c.name_birth_zip_hash and x.contact_id = c.contact_id offset 0) as f
    where u.found = 3 and c.name_birth_zip_hash is not null
) as gone
where f.account_id = $1 and f.ctid = gone.place

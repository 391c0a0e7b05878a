insert into contacts.contact_fallbacks (account_id, hash, contact_id)
select $1, r.name_birth_zip_hash, r.contact_id
from undone u
cross join lateral (
    select *
    from contacts.removed x
    where x.account_id = $1 and x.job_id = $2 and x.contact_id = u.contact_id
    offset 0
) as r
where u.found = 5 and r.name_birth_zip_hash is not null
order by r.name_birth_zip_hash

-- Takes back the unique keys that changed contacts no longer have.
delete from contacts.contact_keys k
using (
    select f.ctid as place
    from changed d
    join staged s on s.row = d.row -- job
    -- undo: join was s on s.contact_id = d.contact_id
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c
    cross join lateral (values
        (1::smallint, 1024::bigint, c.external_id_hash, s.external_id_hash),
        (2::smallint, 32::bigint, c.email_hash, s.email_hash),
        (3::smallint, 16::bigint, c.phone_hash, s.phone_hash),
        (4::smallint, 256::bigint, c.account_number_hash, s.account_number_hash),
        (5::smallint, 128::bigint, c.ssn_hash, s.ssn_hash),
        (6::smallint, 131072::bigint, c.vat_number_hash, s.vat_number_hash)
    ) as h (key, field, old, new)
    cross join lateral (select x.ctid from contacts.contact_keys x where x.account_id = $1 and x.hash = h.old offset 0) as f
    where d.fields & 132528 <> 0 and d.fields & h.field <> 0 and h.old is distinct from h.new and h.old is not null
) as gone
where k.account_id = $1 and k.ctid = gone.place

-- Takes back the keys of contacts that are removed.
delete from contacts.contact_keys k
using (
    select f.ctid as place
    from undone u
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = u.contact_id offset 0) as r
    cross join lateral (values
        (1::smallint, r.external_id_hash),
        (2, r.email_hash),
        (3, r.phone_hash),
        (4, r.account_number_hash),
        (5, r.ssn_hash),
        (6, r.vat_number_hash),
        (8, r.own_8_hash),
        (9, r.own_9_hash),
        (10, r.own_10_hash),
        (11, r.own_11_hash),
        (12, r.own_12_hash),
        (13, r.own_13_hash),
        (14, r.own_14_hash),
        (15, r.own_15_hash)
    ) as h (key, hash)
    cross join lateral (select x.ctid from contacts.contact_keys x where x.account_id = $1 and x.hash = h.hash offset 0) as f
    where u.found = 3 and h.hash is not null
) as gone
where k.account_id = $1 and k.ctid = gone.place

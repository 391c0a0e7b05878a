-- Takes back the keys of own fields that changed contacts no longer have.
delete from contacts.contact_keys k
using (
    select f.ctid as place
    from changed d
    join staged s on s.row = d.row -- job
    -- undo: join was s on s.contact_id = d.contact_id
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c
    cross join lateral (values
        (8::smallint, 281474976710656::bigint, c.own_8_hash, s.own_8_hash),
        (9::smallint, 562949953421312::bigint, c.own_9_hash, s.own_9_hash),
        (10::smallint, 1125899906842624::bigint, c.own_10_hash, s.own_10_hash),
        (11::smallint, 2251799813685248::bigint, c.own_11_hash, s.own_11_hash),
        (12::smallint, 4503599627370496::bigint, c.own_12_hash, s.own_12_hash),
        (13::smallint, 9007199254740992::bigint, c.own_13_hash, s.own_13_hash),
        (14::smallint, 18014398509481984::bigint, c.own_14_hash, s.own_14_hash),
        (15::smallint, 36028797018963968::bigint, c.own_15_hash, s.own_15_hash)
    ) as h (key, field, old, new)
    cross join lateral (select x.ctid from contacts.contact_keys x where x.account_id = $1 and x.hash = h.old offset 0) as f
    where d.fields & 71776119061217280 <> 0 and d.fields & h.field <> 0 and h.old is distinct from h.new and h.old is not null
) as gone
where k.account_id = $1 and k.ctid = gone.place

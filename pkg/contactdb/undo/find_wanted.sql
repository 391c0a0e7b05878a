-- Finds the keys that would come back and that another contact has. $2 is the job that is undone.
insert into wanted (contact_id, line, field, other, next, blocked)
select w.contact_id, w.line, w.field, k.contact_id, g.contact_id, g.contact_id is null and u.contact_id is null
from (
    select d.contact_id, d.line, h.field, h.new as hash
    from changed d
    join was s on s.contact_id = d.contact_id
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c
    cross join lateral (values
        (1::smallint, 1024::bigint, c.external_id_hash, s.external_id_hash),
        (2, 32, c.email_hash, s.email_hash),
        (3, 16, c.phone_hash, s.phone_hash),
        (4, 256, c.account_number_hash, s.account_number_hash),
        (5, 128, c.ssn_hash, s.ssn_hash),
        (6, 131072, c.vat_number_hash, s.vat_number_hash),
        (8, 281474976710656, c.own_8_hash, s.own_8_hash),
        (9, 562949953421312, c.own_9_hash, s.own_9_hash),
        (10, 1125899906842624, c.own_10_hash, s.own_10_hash),
        (11, 2251799813685248, c.own_11_hash, s.own_11_hash),
        (12, 4503599627370496, c.own_12_hash, s.own_12_hash),
        (13, 9007199254740992, c.own_13_hash, s.own_13_hash),
        (14, 18014398509481984, c.own_14_hash, s.own_14_hash),
        (15, 36028797018963968, c.own_15_hash, s.own_15_hash)
    ) as h (key, field, old, new)
    where d.fields & 71776119061349808 <> 0 and d.fields & h.field <> 0 and h.old is distinct from h.new and h.new is not null
    union all
    select u.contact_id, u.line, h.field, h.hash
    from undone u
    cross join lateral (
        select *
        from contacts.removed x
        where x.account_id = $1 and x.job_id = $2 and x.contact_id = u.contact_id
        offset 0
    ) as r
    cross join lateral (values
        (1024::bigint, r.external_id_hash),
        (32, r.email_hash),
        (16, r.phone_hash),
        (256, r.account_number_hash),
        (128, r.ssn_hash),
        (131072, r.vat_number_hash),
        (281474976710656, r.own_8_hash),
        (562949953421312, r.own_9_hash),
        (1125899906842624, r.own_10_hash),
        (2251799813685248, r.own_11_hash),
        (4503599627370496, r.own_12_hash),
        (9007199254740992, r.own_13_hash),
        (18014398509481984, r.own_14_hash),
        (36028797018963968, r.own_15_hash)
    ) as h (field, hash)
    where u.found = 5 and h.hash is not null
) as w
cross join lateral (select x.contact_id from contacts.contact_keys x where x.account_id = $1 and x.hash = w.hash offset 0) as k
left join changed g on g.contact_id = k.contact_id and g.fields & w.field <> 0
left join undone u on u.contact_id = k.contact_id and u.found = 3
where k.contact_id <> w.contact_id

-- As fold_met.sql, of own fields.
update staged s
set own = x.own,
    own_8_hash = x.own_8_hash,
    own_9_hash = x.own_9_hash,
    own_10_hash = x.own_10_hash,
    own_11_hash = x.own_11_hash,
    own_12_hash = x.own_12_hash,
    own_13_hash = x.own_13_hash,
    own_14_hash = x.own_14_hash,
    own_15_hash = x.own_15_hash
from (
    select m.first, jsonb_object_agg(o.field, l.own -> o.field::text) filter (where o.field is not null) as own,
        (array_agg(l.own_8_hash) filter (where m.last & 281474976710656 <> 0))[1] as own_8_hash,
        (array_agg(l.own_9_hash) filter (where m.last & 562949953421312 <> 0))[1] as own_9_hash,
        (array_agg(l.own_10_hash) filter (where m.last & 1125899906842624 <> 0))[1] as own_10_hash,
        (array_agg(l.own_11_hash) filter (where m.last & 2251799813685248 <> 0))[1] as own_11_hash,
        (array_agg(l.own_12_hash) filter (where m.last & 4503599627370496 <> 0))[1] as own_12_hash,
        (array_agg(l.own_13_hash) filter (where m.last & 9007199254740992 <> 0))[1] as own_13_hash,
        (array_agg(l.own_14_hash) filter (where m.last & 18014398509481984 <> 0))[1] as own_14_hash,
        (array_agg(l.own_15_hash) filter (where m.last & 36028797018963968 <> 0))[1] as own_15_hash
    from met m
    join staged l on l.row = m.row
    left join met_own o on o.row = m.row and o.last
    group by m.first
) as x
where s.row = x.first

-- As write_met_origins.sql, for rows that changed own fields too.
update contacts.contacts c
set origins = contacts.origins_with(c.origins, x.fields, x.own, x.entries)
from (
    select l.contact_id, bit_or(l.fields) as fields, jsonb_object_agg(n.number, null) filter (where n.number is not null) as own,
        jsonb_agg(distinct case
            when l.as_of is not null then jsonb_build_array(l.fields, $2::bigint, l.line, l.own, l.as_of)
            when l.own is not null then jsonb_build_array(l.fields, $2, l.line, l.own)
            else jsonb_build_array(l.fields, $2, l.line) end) as entries
    from (
        select m.contact_id, m.line, m.as_of, m.last & d.fields & 281474976710654 as fields, o.own
        from met m
        join changed d on d.row = m.first
        left join (
            select f.row, jsonb_agg(f.field order by f.field) as own
            from met_own f
            join changed_own o on o.row = f.first
            where f.last and o.own ? f.field::text
            group by f.row
        ) as o on o.row = m.row
        where m.last & d.fields & 281474976710654 <> 0 or o.own is not null
    ) as l
    left join lateral jsonb_array_elements_text(l.own) as n (number) on true
    group by l.contact_id
) as x
cross join lateral (select y.ctid as place from contacts.contacts y where y.account_id = $1 and y.contact_id = x.contact_id offset 0) as p
where c.account_id = $1 and c.ctid = p.place

-- As write_met_origins.sql, for rows that changed own fields too.
update contacts.contacts c
set origins = jsonb_set(c.origins, '{jobs}', ((c.origins -> 'jobs') - (-1)) || x.entries)
from (
    select m.contact_id, jsonb_agg(case
        when o.own is null then jsonb_build_array(m.last & d.fields & 281474976710654, $2::bigint, m.line)
        else jsonb_build_array(m.last & d.fields & 281474976710654, $2, m.line, o.own) end order by m.row) as entries
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
    group by m.contact_id
) as x
where c.account_id = $1 and c.contact_id = x.contact_id

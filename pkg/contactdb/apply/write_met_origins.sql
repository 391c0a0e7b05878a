-- Writes the lines that changed fields last in the place of the one line that stands for them. $2 is the job's number.
update contacts.contacts c
set origins = contacts.origins_with(c.origins, x.fields, null, x.entries)
from (
    select m.contact_id, bit_or(m.last & d.fields) as fields,
        jsonb_agg(case when m.as_of is null then jsonb_build_array(m.last & d.fields, $2::bigint, m.line)
            else jsonb_build_array(m.last & d.fields, $2, m.line, null, m.as_of) end) as entries
    from met m
    join changed d on d.row = m.first
    where m.last & d.fields <> 0
    group by m.contact_id
) as x
cross join lateral (select y.ctid as place from contacts.contacts y where y.account_id = $1 and y.contact_id = x.contact_id offset 0) as p
where c.account_id = $1 and c.ctid = p.place

-- Writes each line that changed a field last in the place of the one line that stands for them. $2 is the job's number.
update contacts.contacts c
set origins = jsonb_set(c.origins, '{jobs}', ((c.origins -> 'jobs') - (-1)) || x.entries)
from (
    select m.contact_id, jsonb_agg(jsonb_build_array(m.last & d.fields, $2::bigint, m.line) order by m.row) as entries
    from met m
    join changed d on d.row = m.first
    where m.last & d.fields <> 0
    group by m.contact_id
) as x
where c.account_id = $1 and c.contact_id = x.contact_id

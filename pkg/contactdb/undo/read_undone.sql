-- All that was found, the rows of a contact one after the other.
select d.contact_id, d.line, 0::smallint as found, d.fields, string_to_array(o.numbers, ', ') as own, null::jsonb as origins, null::uuid as other,
    null::text[] as lists
from changed d
left join changed_own o on o.row = d.row
union all
select u.contact_id, u.line, u.found, coalesce(u.kept, u.taken), u.kept_own, u.origins, u.other, u.lists
from undone u
order by contact_id, found

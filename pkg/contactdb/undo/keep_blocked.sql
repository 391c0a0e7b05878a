-- Takes the blocked fields out of what comes back. $1 are the bits of own keys, $2 the numbers of their fields.
with gone as (
    select d.row, bit_or(w.field) as taken
    from wanted w
    join changed d on d.contact_id = w.contact_id
    where w.blocked
    group by d.row
), own as (
    update changed_own o
    set own = o.own - x.names, before = o.before - x.names, numbers = array_to_string(array(select jsonb_object_keys(o.own - x.names)), ', ')
    from (
        select g.row, array_agg(n.name) as names
        from gone g
        join unnest($1::bigint[], $2::text[]) as n (bit, name) on g.taken & n.bit <> 0
        group by g.row
    ) as x
    where o.row = x.row
)
update changed d
set fields = d.fields & ~g.taken, whole = false, name_birth_zip_hash = null
from gone g
where d.row = g.row

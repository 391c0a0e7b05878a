-- The own fields of rows that meet, by the rule of find_met.sql. Once an authorisation is withdrawn, by the contact or
-- by a row before, it stays so: such words count as not said. $2 are the numbers of the authorisations, $3 those of the unique fields, $4 the bits of
-- their keys.
with word as (
    select m.contact_id, m.first, m.row, e.key, e.key = any ($2::text[]) as guarded,
        case jsonb_typeof(e.value) when 'null' then null when 'array' then e.value -> 0 else e.value end as new,
        case jsonb_typeof(c.own -> e.key) when 'array' then c.own -> e.key -> 0 else c.own -> e.key end as old
    from met m
    join staged s on s.row = m.row
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = m.contact_id offset 0) as c
    cross join lateral jsonb_each(s.own) as e
), judged as (
    select *, coalesce(guarded and new is distinct from '"False"' and (coalesce(old = '"False"', false)
        or bool_or(new = '"False"') over (partition by contact_id, key order by row rows between unbounded preceding and 1 preceding)), false) as withheld
    from word
), withheld as (
    insert into kept (row, contact_id, field, reason, turns)
    select row, contact_id, key::integer, 2, true
    from judged
    where withheld
), said as (
    select first, row, contact_id, key, new is distinct from lag(new, 1, old) over (partition by contact_id, key order by row) as changes
    from judged
    where not withheld
), made as (
    insert into met_own (row, first, field, last, bits)
    select s.row, s.first, s.key::integer, s.row = max(s.row) over (partition by s.contact_id, s.key), 1 | coalesce(u.bit, 0)
    from said s
    left join unnest($3::text[], $4::bigint[]) as u (key, bit) on u.key = s.key
    where s.changes
    returning row, last, bits
)
update met m
set fields = m.fields | x.fields, last = m.last | x.last
from (
    select row, bit_or(bits) as fields, bit_or(case when last then bits else 0 end) as last
    from made
    group by row
) as x
where m.row = x.row

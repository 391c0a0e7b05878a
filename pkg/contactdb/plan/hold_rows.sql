-- Takes rows out that are not to be applied, and with each all that meet its contact: what was found for that is theirs together.
with held as (
    select distinct coalesce(m.row, r.row) as row
    from unnest($1::bigint[]) as r (row)
    left join met w on w.row = r.row
    left join met m on m.first = w.first
), unstaged as (
    delete from staged s
    using held h
    where s.row = h.row
), unchanged as (
    delete from changed d
    using held h
    where d.row = h.row
)
select row
from held

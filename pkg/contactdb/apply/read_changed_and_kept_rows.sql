-- As read_changed_rows.sql, with the withdrawn authorisations that a row did not turn on.
select coalesce(c.row, k.row) as row, c.row is not null as changed, k.fields
from (
    select c.row
    from changed c
    where not exists (select from met m where m.first = c.row)
    union all
    select row
    from met
    where fields <> 0
) as c
full join (
    select row, array_agg(field order by field) as fields
    from kept
    group by row
) as k on k.row = c.row
order by 1

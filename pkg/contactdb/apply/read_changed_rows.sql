-- Of rows that met, each has a word of its own.
select c.row
from changed c
where not exists (select from met m where m.first = c.row)
union all
select row
from met
where fields <> 0
order by row

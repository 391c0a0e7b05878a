-- Of rows that met, all are blocked with the one that stands for them.
select coalesce(m.row, b.row) as row, b.contact_id
from blocked b
left join met m on m.first = b.row
order by row

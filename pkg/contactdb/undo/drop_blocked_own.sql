-- Contacts that have no own field left that comes back.
with gone as (
    delete from changed_own
    where own = '{}'
    returning row
)
update changed d
set fields = d.fields & ~1
from gone g
where d.row = g.row

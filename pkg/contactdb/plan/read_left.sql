-- How many contacts change, and in which fields, after rows were taken out.
select count(*), coalesce(bit_or(fields), 0)
from changed

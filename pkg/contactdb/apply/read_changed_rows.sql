select row
from changed
order by row

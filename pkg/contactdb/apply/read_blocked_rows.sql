select row, contact_id
from blocked
order by row

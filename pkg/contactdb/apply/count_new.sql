select count(*)
from staged
where not known

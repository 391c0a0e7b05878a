select token, backend_pid, backend_start
from contacts.fences
where account_id = $1

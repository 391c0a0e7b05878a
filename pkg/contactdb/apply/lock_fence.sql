select token
from contacts.fences
where account_id = $1
for update

select list_id, last_position
from contacts.lists
where account_id = $1 and name = $2

-- Whoever waits for a contact waits for whomever that one waits for: each time this is done, chains are half as long.
update wanted w
set blocked = n.blocked, next = n.next
from wanted n
where not w.blocked and n.contact_id = w.next and n.field = w.field

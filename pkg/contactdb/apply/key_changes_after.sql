-- Keys that came or went outside a job after a version; the contact id itself is a key, as those rows belong to it.
select key, hash
from contacts.key_changes
where account_id = $1 and version > $2
union
select 0::smallint, contact_id
from contacts.key_changes
where account_id = $1 and version > $2

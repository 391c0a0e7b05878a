-- Locks the fence until the transaction ends, and says in it that from then on nobody is at work.
update contacts.fences
set backend_pid = 0
where account_id = $1 and token = $2

-- The start tells the backend from a later one with the same number. Waits until it is gone, at most $3 milliseconds.
select pg_terminate_backend(pid, $3)
from pg_stat_activity
where pid = $1 and backend_start = $2 and pid <> pg_backend_pid()

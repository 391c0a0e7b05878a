-- Ends a session that is at work on the account, and waits until it is gone, at most $3 milliseconds. Its start tells it
-- from a later one with the same number; its mark, from one that has long gone on to another account.
select pg_terminate_backend(a.pid, $3)
from pg_stat_activity a
where a.pid = $1 and a.backend_start = $2 and a.pid <> pg_backend_pid()
    and exists (
        select from pg_locks l
        where l.pid = a.pid and l.locktype = 'advisory' and l.objsubid = 1 and (l.classid::bigint << 32 | l.objid::bigint) = $4)

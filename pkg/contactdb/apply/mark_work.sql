-- Tells who looks into pg_locks that this session is at work on the account, until the transaction ends. It is shared: it
-- keeps nobody out.
select pg_advisory_xact_lock_shared($1::bigint)

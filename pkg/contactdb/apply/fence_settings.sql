-- For the short transaction of a fence, which is a batch of its own. It need not be on disk before the merge: what it keeps
-- from committing are sessions, and they end with the server that would forget it; whoever comes back after that asks for
-- leave again. The merge's own commit brings it to disk.
select set_config('contactmill.account', $1, true), set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '100ms', true)

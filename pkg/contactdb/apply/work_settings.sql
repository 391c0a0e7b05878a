-- For this transaction: memory for the sorts of a large file, no compiling for statements that mostly are small, plans of
-- cursors for all of their rows (a plan for the first few joins two large tables row by row), plans for the account and the
-- rows at hand (one for any takes every account for a small one and reads it whole), an end to waiting for somebody who holds
-- the account's row, and none to its own waiting for S3 and for leave: if it stands still, whoever takes over ends it.
select set_config('work_mem', '128MB', true), set_config('jit', 'off', true), set_config('cursor_tuple_fraction', '1', true),
    set_config('plan_cache_mode', 'force_custom_plan', true), set_config('lock_timeout', '10s', true),
    set_config('idle_in_transaction_session_timeout', '0', true)

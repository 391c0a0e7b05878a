-- Statements that look up any number of ids are planned once, to go through an index in the order of the ids. Planned for
-- a batch, they may come out as a scan of all accounts; a bitmap of what is looked up has to be built before it is read.
SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_bitmapscan', 'off', true)

-- One relay of an account at a time. It may wait for the bus for as long as a visit takes. What it marks as sent need not be on disk when
-- it ends: what a crash forgets of it is sent again.
SELECT pg_advisory_xact_lock(hashtextextended('ingest relay ' || $1::text, 0)), set_config('idle_in_transaction_session_timeout', '30s', true),
       set_config('synchronous_commit', 'off', true)

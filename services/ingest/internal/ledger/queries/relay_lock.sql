-- One relay of an account at a time.
SELECT pg_advisory_xact_lock(hashtextextended('ingest relay ' || $1::text, 0))

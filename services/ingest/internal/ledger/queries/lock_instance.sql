-- One start of an instance at a time.
SELECT pg_advisory_xact_lock(hashtextextended('ingest instance ' || $1::text, 0))

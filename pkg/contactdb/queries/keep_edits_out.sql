-- A row's lock alone is not fair: who wants it for himself waits as long as others come to share it. $1 and $2 are the account.
SELECT pg_advisory_xact_lock($1::integer, $2::integer)

-- Keeps a job that was taken for so many seconds more.
update enrichment.later
set next_try = now() + $3::double precision * interval '1 second', seen = seen or $4, failures = $5
where account_id = $1 and job_id = $2

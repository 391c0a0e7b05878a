-- Takes a job for so many seconds, if nobody else has.
update enrichment.later
set next_try = now() + $3::double precision * interval '1 second'
where account_id = $1 and job_id = $2 and next_try <= now()
returning since, seen, failures, extract(epoch from now() - made_at)::double precision

-- Takes an account's open batches for so many seconds.
update enrichment.batches
set next_try = now() + $3::double precision * interval '1 second'
where account_id = $1 and provider = $2 and question is not null and next_try <= now()

-- Notes that a job goes on without its provider.
insert into enrichment.later (account_id, job_id, since)
values ($1, $2, $3)
on conflict (account_id, job_id) do nothing

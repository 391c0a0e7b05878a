-- Notes that a batch is about to be sent. A batch noted before stays as it is.
insert into enrichment.batches (account_id, provider, batch_id, job_id, subjects)
values ($1, $2, $3, $4, $5)
on conflict (account_id, provider, batch_id) do nothing

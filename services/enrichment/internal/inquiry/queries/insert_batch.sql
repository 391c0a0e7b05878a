-- Notes that a batch is about to be sent. A batch noted before stays as it is, unless it was given up or noted while its provider
-- cost nothing: such a one has no question that could be asked again.
insert into enrichment.batches (account_id, provider, batch_id, job_id, subjects, question, next_try, currency)
values ($1, $2, $3, $4, $5, $6, case when $6::bytea is not null then now() + $7::double precision * interval '1 second' end, $8)
on conflict (account_id, provider, batch_id) do update
set job_id = excluded.job_id, sent_at = now(), question = excluded.question, failed = null, next_try = excluded.next_try, currency = excluded.currency
where batches.answer is null and batches.question is null

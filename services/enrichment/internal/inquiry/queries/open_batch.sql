-- The oldest batch that was noted and has no answer, with its age in seconds.
select batch_id, job_id, subjects, question, extract(epoch from now() - sent_at)::double precision
from enrichment.batches
where account_id = $1 and provider = $2 and question is not null
order by sent_at, batch_id
limit 1

-- Which of the batches have an answer.
select batch_id
from enrichment.batches
where account_id = $1 and provider = $2 and batch_id = any ($3::text[]) and answer is not null

-- The answers to batches.
select batch_id, answer
from enrichment.batches
where account_id = $1 and provider = $2 and batch_id = any($3::text[]) and answer is not null

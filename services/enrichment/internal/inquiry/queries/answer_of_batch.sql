-- What is known of a batch: its answer, if it has one.
select answer
from enrichment.batches
where account_id = $1 and provider = $2 and batch_id = $3

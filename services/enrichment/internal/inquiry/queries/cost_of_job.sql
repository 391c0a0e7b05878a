-- What the batches that a job asked have cost.
select coalesce(sum(cost_micros), 0)::bigint
from enrichment.batches
where account_id = $1 and job_id = $2 and provider = $3

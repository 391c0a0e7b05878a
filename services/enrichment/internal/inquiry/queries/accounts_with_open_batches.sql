-- Across accounts: those with batches that nobody has asked again for a while.
select distinct account_id
from enrichment.batches
where question is not null and provider = $1 and next_try <= now()
limit $2

-- Across accounts: in how many seconds the next open batch is due.
select extract(epoch from min(next_try) - now())::double precision
from enrichment.batches
where question is not null and provider = $1

-- Across accounts: in how many seconds the next job is due.
select extract(epoch from min(next_try) - now())::double precision
from enrichment.later

-- Across accounts: jobs whose contacts are to be asked about now, those that have waited longest first.
select account_id, job_id
from enrichment.later
where next_try <= now()
order by next_try
limit $1

-- Which batch answered for each value, at what position, and whether that is fresh enough to be used again.
select a.hash, a.batch_id, a.position, a.asked_at >= $4
from enrichment.answers a
join enrichment.batches b on b.account_id = a.account_id and b.provider = a.provider and b.batch_id = a.batch_id
where a.account_id = $1 and a.provider = $2 and a.hash = any($3::uuid[]) and b.answer is not null

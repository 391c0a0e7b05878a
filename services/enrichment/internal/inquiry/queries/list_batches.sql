-- The next batches of an account behind a place, in the order in which they were sent: of one job, of one provider, in a span of
-- time, where these are given.
select batch_id, provider, job_id, subjects, sent_at, answered_at, coalesce(known, 0), coalesce(cost_micros, 0), currency, coalesce(failed, '')
from enrichment.batches
where account_id = $1 and ($2::uuid is null or job_id = $2) and ($3::text is null or provider = $3)
    and ($4::timestamptz is null or sent_at >= $4) and ($5::timestamptz is null or sent_at < $5)
    and (sent_at, provider, batch_id) > ($6, $7, $8)
order by sent_at, provider, batch_id
limit $9

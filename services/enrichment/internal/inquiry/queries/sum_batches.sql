-- What an account asked of providers, by month, provider and currency: of one job, of one provider, in a span of time, where these
-- are given.
select to_char(date_trunc('month', sent_at at time zone 'UTC'), 'YYYY-MM') as month, provider, currency,
    count(*), count(*) filter (where answered_at is null and failed is null), count(*) filter (where failed is not null),
    coalesce(sum(subjects) filter (where answered_at is not null), 0)::bigint, coalesce(sum(known), 0)::bigint, coalesce(sum(cost_micros), 0)::bigint
from enrichment.batches
where account_id = $1 and ($2::uuid is null or job_id = $2) and ($3::text is null or provider = $3)
    and ($4::timestamptz is null or sent_at >= $4) and ($5::timestamptz is null or sent_at < $5)
group by 1, 2, 3
order by 1 desc, 2, 3

-- Which batch each value is held by, at what position, and whether since not too long for its answer to be used again. The lateral
-- look-up goes through the whole primary key whatever the statistics say: joined, it may come out as each row held against each hash.
select v.hash, a.batch_id, a.position, a.asked_at >= $4
from unnest($3::uuid[]) as v (hash)
cross join lateral (
    select batch_id, position, asked_at
    from enrichment.answers
    where account_id = $1 and provider = $2 and hash = v.hash
    limit 1
) as a

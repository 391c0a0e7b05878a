-- A breaker that is open, and for how many seconds more.
select failures, code, extract(epoch from open_until - now())::double precision
from enrichment.breakers
where account_id = $1 and provider = $2 and open_until > now()

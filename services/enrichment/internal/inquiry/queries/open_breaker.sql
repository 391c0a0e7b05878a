-- One more failure: the provider rests for the account, twice as long each time, $4 seconds at first and $5 at most, the part $6 of it.
insert into enrichment.breakers as b (account_id, provider, failures, open_until, code)
values ($1, $2, 1, now() + least($4::double precision, $5::double precision) * $6::double precision * interval '1 second', $3)
on conflict (account_id, provider) do update
set failures = b.failures + 1, code = excluded.code, changed_at = now(),
    open_until = now() + least($4::double precision * power(2, least(b.failures, 30)), $5::double precision) * $6::double precision * interval '1 second'
returning failures, extract(epoch from open_until - now())::double precision

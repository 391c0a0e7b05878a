-- The provider wishes to rest for so many seconds.
insert into enrichment.breakers as b (account_id, provider, failures, open_until, code)
values ($1, $2, 0, now() + $4::double precision * interval '1 second', $3)
on conflict (account_id, provider) do update
set code = excluded.code, changed_at = now(), open_until = excluded.open_until
returning failures, extract(epoch from open_until - now())::double precision

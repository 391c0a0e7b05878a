-- Keeps what a provider says of itself.
insert into enrichment.descriptions (address, description)
values ($1, $2)
on conflict (address) do update set description = excluded.description, told_at = now()

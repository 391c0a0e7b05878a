-- An answer came: the provider serves the account.
update enrichment.breakers
set failures = 0, open_until = now(), changed_at = now()
where account_id = $1 and provider = $2 and (failures > 0 or open_until > now())

-- Finds the words on standard fields that are not followed by rule, $2 never, $3 if empty and $4 newest, bit n for field
-- number n, or as a person gave the value and no file shall replace it ($5). $6 is as of when rows are that do not say it.
-- A word that would change nothing is none; nothing is older than a value that never was.
with word as materialized (
    select s.row, s.contact_id, v.field, case
            when v.bit & $2::bigint <> 0 or v.bit & $3::bigint <> 0 and v.new is not null and v.old is not null then 1
            when $5::boolean and v.new is not null and c.origins ? v.name then 3 end as reason,
        coalesce(to_timestamp(s.as_of), $6::timestamptz) as said_at,
        case when v.bit & $4::bigint <> 0 and c.origins is not null then contacts.origin_of(c.origins, v.name, v.bit) end as origin,
        case when v.bit & $4::bigint <> 0 and v.old is not null then coalesce(c.as_of, m.as_of, m.applied_at, c.created_at) end as made_at
    from staged s
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = s.contact_id offset 0) as c
    left join contacts.applied m on m.account_id = $1 and m.job_id = c.created_job
    cross join lateral (values
        (1::integer, 2::bigint, 'first_name', s.first_name, c.first_name),
        (2, 4, 'last_name', s.last_name, c.last_name),
        (3, 8, 'full_name', s.full_name, c.full_name),
        (4, 16, 'phone', s.phone, c.phone),
        (5, 32, 'email', s.email, c.email),
        (6, 64, 'birth_date', s.birth_date::text, c.birth_date::text),
        (7, 128, 'ssn', s.ssn_hash::text, c.ssn_hash::text),
        (8, 256, 'account_number', s.account_number, c.account_number),
        (9, 512, 'zip', s.zip, c.zip),
        (10, 1024, 'external_id', s.external_id, c.external_id),
        (12, 4096, 'address', s.address, c.address),
        (13, 8192, 'city', s.city, c.city),
        (14, 16384, 'state', s.state, c.state),
        (15, 32768, 'country', s.country, c.country),
        (16, 65536, 'company', s.company, c.company),
        (17, 131072, 'vat_number', s.vat_number, c.vat_number)
    ) as v (field, bit, name, new, old)
    where s.known and v.new is distinct from v.old and (v.new is not null or s.unset & v.bit <> 0)
        and ($5 or v.bit & ($2 | $3 | $4) <> 0)
)
insert into kept (row, contact_id, field, reason, turns)
select w.row, w.contact_id, w.field, coalesce(w.reason, 3), false
from word w
left join contacts.applied a on a.account_id = $1 and a.number = (w.origin ->> 1)::bigint
where w.reason is not null or w.said_at < contacts.given_at(w.origin, w.made_at, coalesce(a.as_of, a.applied_at))

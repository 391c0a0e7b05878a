-- As find_ruled.sql, of own fields, by their numbers.
with word as materialized (
    select s.row, s.contact_id, e.key::integer as field, e.value <> '"False"' as turns, case
            when e.key = any ($2::text[]) or e.key = any ($3::text[]) and jsonb_typeof(e.value) <> 'null' and coalesce(c.own ? e.key, false) then 1
            when $5::boolean and jsonb_typeof(e.value) <> 'null' and c.origins ? e.key then 3 end as reason,
        coalesce(to_timestamp(s.as_of), $6::timestamptz) as said_at,
        case when e.key = any ($4::text[]) and c.origins is not null then contacts.origin_of(c.origins, e.key, 1) end as origin,
        case when e.key = any ($4::text[]) and c.own ? e.key then coalesce(c.as_of, m.as_of, m.applied_at, c.created_at) end as made_at
    from staged s
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = s.contact_id offset 0) as c
    left join contacts.applied m on m.account_id = $1 and m.job_id = c.created_job
    cross join lateral jsonb_each(s.own) as e
    where s.known
        and case jsonb_typeof(e.value)
            when 'null' then coalesce(c.own ? e.key, false)
            when 'array' then c.own -> e.key -> 0 is distinct from e.value -> 0
            else c.own -> e.key is distinct from e.value end
)
insert into kept (row, contact_id, field, reason, turns)
select w.row, w.contact_id, w.field, coalesce(w.reason, 3), w.turns
from word w
left join contacts.applied a on a.account_id = $1 and a.number = (w.origin ->> 1)::bigint
where w.reason is not null or w.said_at < contacts.given_at(w.origin, w.made_at, coalesce(a.as_of, a.applied_at))

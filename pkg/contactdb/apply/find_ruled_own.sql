-- As find_ruled.sql, of own fields, by their numbers.
insert into kept (row, contact_id, field, reason, turns)
select s.row, s.contact_id, e.key::integer, w.reason, e.value <> '"False"'
from staged s
join contacts.contacts c on c.account_id = $1 and c.contact_id = s.contact_id
left join contacts.applied m on m.account_id = $1 and m.job_id = c.created_job
cross join lateral jsonb_each(s.own) as e
cross join lateral (
    select case
        when e.key = any ($2::text[]) or e.key = any ($3::text[]) and jsonb_typeof(e.value) <> 'null' and coalesce(c.own ? e.key, false) then 1
        when $5::boolean and jsonb_typeof(e.value) <> 'null' and c.origins ? e.key
            or e.key = any ($4::text[]) and coalesce(to_timestamp(s.as_of), $6::timestamptz)
                < contacts.given_at(c.account_id, e.key, 1, c.origins, case when c.own ? e.key then coalesce(c.as_of, m.as_of, m.applied_at, c.created_at) end) then 3
        end::smallint as reason
) as w
where s.known and w.reason is not null
    and case jsonb_typeof(e.value)
        when 'null' then coalesce(c.own ? e.key, false)
        when 'array' then c.own -> e.key -> 0 is distinct from e.value -> 0
        else c.own -> e.key is distinct from e.value end

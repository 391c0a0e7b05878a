-- As read_changed_rows.sql, with the values that a row had other words for that were not followed: what the contact has
-- after the job, and since when, in seconds. $2 is as of when rows are that do not say it. changed and staged tell what
-- the job changes also where it is only planned.
select coalesce(r.row, k.row) as row, r.row is not null as changed, k.fields, k.reasons, k.values, k.since
from (
    select c.row
    from changed c
    where not exists (select from met m where m.first = c.row)
    union all
    select row
    from met
    where fields <> 0
) as r
full join (
    select k.row, array_agg(k.field order by k.field) as fields, array_agg(k.reason order by k.field) as reasons,
        array_agg(v.value order by k.field) as values, array_agg(coalesce(floor(extract(epoch from v.since)), 0)::bigint order by k.field) as since
    from kept k
    join contacts.contacts c on c.account_id = $1 and c.contact_id = k.contact_id
    left join contacts.applied j on j.account_id = $1 and j.job_id = c.created_job
    left join changed d on d.contact_id = k.contact_id
    left join staged s on s.row = d.row
    left join changed_own o on o.row = d.row
    cross join lateral (
        select case jsonb_typeof(w.own) when 'array' then '***-**-****' when 'null' then null else coalesce(w.own #>> '{}', w.value) end as value,
            case when w.changed then coalesce(to_timestamp(case when exists (select from met m where m.first = d.row) then (
                    select m.as_of
                    from met m
                    where m.first = d.row and (w.bit > 1 and m.last & w.bit <> 0
                        or w.bit = 1 and exists (select from met_own f where f.row = m.row and f.last and f.field = k.field))
                ) else s.as_of end), $2::timestamptz)
                else contacts.given_at(c.account_id, w.name, w.bit, c.origins, coalesce(c.as_of, j.as_of, j.applied_at, c.created_at)) end as since
        from (
            select v.name, v.bit, v.value, null::jsonb as own, coalesce(d.fields & v.bit <> 0, false) as changed
            from (values
            (1, 2::bigint, 'first_name', case when d.fields & 2 <> 0 then s.first_name else c.first_name end),
            (2, 4, 'last_name', case when d.fields & 4 <> 0 then s.last_name else c.last_name end),
            (3, 8, 'full_name', case when d.fields & 8 <> 0 then s.full_name else c.full_name end),
            (4, 16, 'phone', case when d.fields & 16 <> 0 then s.phone else c.phone end),
            (5, 32, 'email', case when d.fields & 32 <> 0 then s.email else c.email end),
            (6, 64, 'birth_date', to_char(case when d.fields & 64 <> 0 then s.birth_date else c.birth_date end, 'YYYY-MM-DD')),
            (7, 128, 'ssn', case when (case when d.fields & 128 <> 0 then s.ssn_hash else c.ssn_hash end) is not null then '***-**-****' end),
            (8, 256, 'account_number', case when d.fields & 256 <> 0 then s.account_number else c.account_number end),
            (9, 512, 'zip', case when d.fields & 512 <> 0 then s.zip else c.zip end),
            (10, 1024, 'external_id', case when d.fields & 1024 <> 0 then s.external_id else c.external_id end),
            (12, 4096, 'address', case when d.fields & 4096 <> 0 then s.address else c.address end),
            (13, 8192, 'city', case when d.fields & 8192 <> 0 then s.city else c.city end),
            (14, 16384, 'state', case when d.fields & 16384 <> 0 then s.state else c.state end),
            (15, 32768, 'country', case when d.fields & 32768 <> 0 then s.country else c.country end),
            (16, 65536, 'company', case when d.fields & 65536 <> 0 then s.company else c.company end),
            (17, 131072, 'vat_number', case when d.fields & 131072 <> 0 then s.vat_number else c.vat_number end)
            ) as v (field, bit, name, value)
            where k.field < 256 and v.field = k.field
            union all
            select k.field::text, 1, null, case when o.own ? k.field::text then o.own -> k.field::text else c.own -> k.field::text end,
                coalesce(o.own ? k.field::text, false)
            where k.field >= 256
        ) as w
    ) as v
    group by k.row
) as k on k.row = r.row
order by 1

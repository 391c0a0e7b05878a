-- As read_changed_rows.sql, with the values that a row had other words for that were not followed: what the contact has
-- after the job, and since when, in seconds. $2 is as of when rows are that do not say it. changed and staged tell what
-- the job changes also where it is only planned; of rows that met, the one that changed a field last tells since when.
with last as (
    select m.first, b.field, m.as_of
    from met m
    cross join generate_series(1, 17) as b (field)
    where m.last & (1::bigint << b.field) <> 0
    union all
    select m.first, f.field, m.as_of
    from met m
    join met_own f on f.row = m.row
    where f.last
)
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
    select w.row, array_agg(w.field order by w.field) as fields, array_agg(w.reason order by w.field) as reasons,
        array_agg(case jsonb_typeof(w.own) when 'array' then '***-**-****' when 'null' then null else coalesce(w.own #>> '{}', w.value) end
            order by w.field) as values,
        array_agg(coalesce(floor(extract(epoch from case
            when w.changed then coalesce(to_timestamp(w.as_of), $2::timestamptz)
            else contacts.given_at(w.origin, w.made_at, coalesce(a.as_of, a.applied_at)) end)), 0)::bigint order by w.field) as since
    from (
        select k.row, k.field, k.reason, coalesce(c.as_of, j.as_of, j.applied_at, c.created_at) as made_at,
            case when l.first is null then s.as_of else l.as_of end as as_of,
            case when c.origins is null then null
                when k.field >= 256 then contacts.origin_of(c.origins, k.field::text, 1)
                else contacts.origin_of(c.origins, (array['first_name', 'last_name', 'full_name', 'phone', 'email', 'birth_date', 'ssn', 'account_number',
                'zip', 'external_id', null, 'address', 'city', 'state', 'country', 'company',
                'vat_number'])[k.field], 1::bigint << k.field) end as origin,
            case when k.field < 256 then null when o.own ? k.field::text then o.own -> k.field::text else c.own -> k.field::text end as own,
            case k.field
                when 1 then case when d.fields & 2 <> 0 then s.first_name else c.first_name end
                when 2 then case when d.fields & 4 <> 0 then s.last_name else c.last_name end
                when 3 then case when d.fields & 8 <> 0 then s.full_name else c.full_name end
                when 4 then case when d.fields & 16 <> 0 then s.phone else c.phone end
                when 5 then case when d.fields & 32 <> 0 then s.email else c.email end
                when 6 then to_char(case when d.fields & 64 <> 0 then s.birth_date else c.birth_date end, 'YYYY-MM-DD')
                when 7 then case when (case when d.fields & 128 <> 0 then s.ssn_hash else c.ssn_hash end) is not null then '***-**-****' end
                when 8 then case when d.fields & 256 <> 0 then s.account_number else c.account_number end
                when 9 then case when d.fields & 512 <> 0 then s.zip else c.zip end
                when 10 then case when d.fields & 1024 <> 0 then s.external_id else c.external_id end
                when 12 then case when d.fields & 4096 <> 0 then s.address else c.address end
                when 13 then case when d.fields & 8192 <> 0 then s.city else c.city end
                when 14 then case when d.fields & 16384 <> 0 then s.state else c.state end
                when 15 then case when d.fields & 32768 <> 0 then s.country else c.country end
                when 16 then case when d.fields & 65536 <> 0 then s.company else c.company end
                when 17 then case when d.fields & 131072 <> 0 then s.vat_number else c.vat_number end
            end as value,
            coalesce(case when k.field < 256 then d.fields & (1::bigint << k.field) <> 0 else o.own ? k.field::text end, false) as changed
        from kept k
        cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = k.contact_id offset 0) as c
        left join contacts.applied j on j.account_id = $1 and j.job_id = c.created_job
        left join changed d on d.contact_id = k.contact_id
        left join staged s on s.row = d.row
        left join changed_own o on o.row = d.row
        left join last l on l.first = d.row and l.field = k.field
        offset 0
    ) as w
    left join contacts.applied a on a.account_id = $1 and a.number = (w.origin ->> 1)::bigint
    group by w.row
) as k on k.row = r.row
order by 1

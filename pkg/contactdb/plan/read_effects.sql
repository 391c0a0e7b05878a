-- The rows that change something, with what becomes of their contact: a hash of the fields that change and of what they are
-- before and after. A sealed value differs each time: its hash tells. Rows that meet all have what becomes of their contact, 0
-- where one changes what another changes back.
select coalesce(m.row, d.row) as row, coalesce(m.fields <> 0, true) as changes, case when d.row is null then 0 else hash_record_extended(row(d.fields,
    case when d.fields & 2 <> 0 then c.first_name end, case when d.fields & 2 <> 0 then s.first_name end,
    case when d.fields & 4 <> 0 then c.last_name end, case when d.fields & 4 <> 0 then s.last_name end,
    case when d.fields & 8 <> 0 then c.full_name end, case when d.fields & 8 <> 0 then s.full_name end,
    case when d.fields & 16 <> 0 then c.phone end, case when d.fields & 16 <> 0 then s.phone end,
    case when d.fields & 32 <> 0 then c.email end, case when d.fields & 32 <> 0 then s.email end,
    case when d.fields & 64 <> 0 then c.birth_date end, case when d.fields & 64 <> 0 then s.birth_date end,
    case when d.fields & 128 <> 0 then c.ssn_hash end, case when d.fields & 128 <> 0 then s.ssn_hash end,
    case when d.fields & 256 <> 0 then c.account_number end, case when d.fields & 256 <> 0 then s.account_number end,
    case when d.fields & 512 <> 0 then c.zip end, case when d.fields & 512 <> 0 then s.zip end,
    case when d.fields & 1024 <> 0 then c.external_id end, case when d.fields & 1024 <> 0 then s.external_id end,
    case when d.fields & 4096 <> 0 then c.address end, case when d.fields & 4096 <> 0 then s.address end,
    case when d.fields & 8192 <> 0 then c.city end, case when d.fields & 8192 <> 0 then s.city end,
    case when d.fields & 16384 <> 0 then c.state end, case when d.fields & 16384 <> 0 then s.state end,
    case when d.fields & 32768 <> 0 then c.country end, case when d.fields & 32768 <> 0 then s.country end,
    case when d.fields & 65536 <> 0 then c.company end, case when d.fields & 65536 <> 0 then s.company end,
    case when d.fields & 131072 <> 0 then c.vat_number end, case when d.fields & 131072 <> 0 then s.vat_number end
    , (select jsonb_object_agg(e.key, jsonb_build_array( -- own
            case jsonb_typeof(o.before -> e.key) when 'array' then o.before -> e.key -> 0 else o.before -> e.key end, -- own
            case jsonb_typeof(e.value) when 'array' then e.value -> 0 else e.value end)) -- own
        from jsonb_each(o.own) as e) -- own
), 0) end as effect
from changed d
full join met m on m.first = d.row
left join staged s on s.row = d.row
left join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c on true
left join changed_own o on o.row = d.row -- own
order by 1

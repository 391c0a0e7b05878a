-- Finds what of the fields that the job changed comes back. $2 is the number of the job with a file at the end of the chain,
-- $3 are the numbers of the unique own fields, $4 the bits of their keys. The lines marked back are for that job and for undos
-- that did it again, the lines marked again for undos that took it back. Where nobody else has given a value since, the origins
-- tell so as a whole. Else a token tells who gave a field its value: {"at", "by"} of a person, [job number, line], or null since
-- the contact was made. It stands for the value: two values of a contact's field with the same token are the same. What
-- find_whole.sql has found already is left out.
with found as (
    select j.row, j.ctid as source, c.ctid as place, j.contact_id, j.line, j.fields, j.own, j.origins, j.name_birth_zip_hash, c.contact_id is null as gone, c.origins as now, c.own as own_now,
        -- again: l.origins as earlier, c.contact_id is not null and c.origins is not distinct from l.origins and
        case when b.origins is null
            then ('{"jobs": [[' || (j.fields & 281474976710654) || ', ' || $2::bigint || ', ' || j.line || case when j.own is null then '' else ', [' || o.numbers || ']' end || ']]}')::jsonb
            else contacts.origins_with(b.origins, j.fields & 281474976710654, j.own, jsonb_build_array(
                case when j.own is null then jsonb_build_array(j.fields & 281474976710654, $2, j.line)
                else jsonb_build_array(j.fields & 281474976710654, $2, j.line, ('[' || o.numbers || ']')::jsonb) end)) end
            = c.origins as whole -- back
            -- again: = j.origins as whole
    from was j
    left join contacts.contacts c on c.account_id = $1 and c.contact_id = j.contact_id -- whole
    -- part: left join lateral (select x.*, x.ctid from contacts.contacts x where x.account_id = $1 and x.contact_id = j.contact_id offset 0) as c on true
    -- again: left join earlier l on l.contact_id = j.contact_id
    cross join lateral (select j.origins) as b (origins) -- back
    -- again: cross join lateral (select l.origins) as b (origins)
    cross join lateral (select case when j.own is not null then (select string_agg(k, ', ') from jsonb_object_keys(j.own) as k) end) as o (numbers)
    where not exists (select from changed d where d.row = j.row)
    offset 0
), judged as (
    select row, source, place, contact_id, line, fields as back, own as back_own, null::bigint as kept, null::text[] as kept_own, now, own_now, name_birth_zip_hash, whole
    from found
    where whole
    union all
    select row, source, place, contact_id, line, 0, null, null, null, null, null, null, false
    from found
    where gone
    union all
    select w.row, w.source, w.place, w.contact_id, w.line, coalesce(t.back, 0), t.back_own, t.kept, t.kept_own, w.now, w.own_now, null, false
    from found w
    cross join lateral (
        select bit_or(f.bits) filter (where f.word = 'back') as back,
            jsonb_object_agg(f.name, w.own -> f.name) filter (where f.word = 'back' and f.bits & 1 <> 0) as back_own,
            bit_or(f.bits) filter (where f.word = 'kept' and f.bits & 1 = 0) as kept,
            array_agg(f.name) filter (where f.word = 'kept' and f.bits & 1 <> 0) as kept_own
        from (
            select s.bits, s.name, case
                when (n.token ->> 0)::bigint = $2 then 'back' -- back
                when n.token is not distinct from t.token then 'same' -- back
                -- again: when n.token is not distinct from t.token then 'back'
                -- again: when (n.token ->> 0)::bigint = $2 then 'same'
                else 'kept' end as word
            from (
                select v.bit, v.bit, v.name
                from (values
                    (2::bigint, 'first_name'),
                    (4, 'last_name'),
                    (8, 'full_name'),
                    (16, 'phone'),
                    (32, 'email'),
                    (64, 'birth_date'),
                    (128, 'ssn'),
                    (256, 'account_number'),
                    (512, 'zip'),
                    (1024, 'external_id'),
                    (4096, 'address'),
                    (8192, 'city'),
                    (16384, 'state'),
                    (32768, 'country'),
                    (65536, 'company'),
                    (131072, 'vat_number')
                ) as v (bit, name)
                where w.fields & v.bit <> 0
                union all
                select 1, (1 | coalesce(u.bit, 0)) & w.fields, k.name
                from jsonb_object_keys(w.own) as k (name)
                left join unnest($3::text[], $4::bigint[]) as u (name, bit) on u.name = k.name
            ) as s (bit, bits, name)
            cross join lateral (select w.origins) as b (origins) -- back
            -- again: cross join lateral (select w.earlier) as b (origins)
            cross join lateral (
                select case when w.now ? s.name then (w.now -> s.name) - 'replaced' else (
                    select jsonb_build_array(o.e -> 1, o.e -> 2)
                    from jsonb_array_elements(w.now -> 'jobs') as o (e)
                    where case when s.bit > 1 then (o.e ->> 0)::bigint & s.bit <> 0 else o.e -> 3 @> s.name::jsonb end
                    limit 1) end
            ) as n (token)
            cross join lateral (
                select case when b.origins ? s.name then (b.origins -> s.name) - 'replaced' else (
                    select jsonb_build_array(o.e -> 1, o.e -> 2)
                    from jsonb_array_elements(b.origins -> 'jobs') as o (e)
                    where case when s.bit > 1 then (o.e ->> 0)::bigint & s.bit <> 0 else o.e -> 3 @> s.name::jsonb end
                    limit 1) end
            ) as t (token)
        ) as f
    ) as t
    where not w.gone and w.whole is not true
), kept as (
    insert into undone (contact_id, line, found, kept, kept_own, origins)
    select contact_id, line, case when kept is null and kept_own is null then 1 else 2 end, kept, kept_own,
        case when kept is not null or kept_own is not null then now end
    from judged
    where back = 0 or kept is not null or kept_own is not null
), own as (
    insert into changed_own (row, own, before, numbers)
    select d.row, d.back_own, (select jsonb_object_agg(k, d.own_now -> k) from jsonb_object_keys(d.back_own) as k),
        (select string_agg(k, ', ') from jsonb_object_keys(d.back_own) as k)
    from judged d
    where d.back_own is not null
)
insert into changed (row, line, contact_id, fields, name_birth_zip_hash, whole, place, source)
select row, line, contact_id, back, name_birth_zip_hash, whole, place, source
from judged
where back <> 0
order by contact_id

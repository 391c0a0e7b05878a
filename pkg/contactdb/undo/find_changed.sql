-- Finds what of the fields that the job changed comes back. $2 is the number of the job with a file at the end of the chain,
-- $3 are the numbers of the unique own fields, $4 the bits of their keys. The lines marked back are for that job and for undos
-- that did it again, the lines marked again for undos that took it back. Where nobody else has given a value before or since,
-- the origins tell so as a whole.
with found as (
    select j.contact_id, j.line, j.fields, j.own, j.origins, j.name_birth_zip_hash, c.contact_id is null as gone, c.origins as now, c.own as own_now,
        -- again: l.origins as earlier, c.origins is null and l.origins is null and c.contact_id is not null and j.origins
        j.origins is null and c.origins -- back
            = ('{"jobs": [[' || (j.fields & 281474976710654) || ', ' || $2::bigint || ', ' || j.line
            || case when j.own is null then '' else ', [' || (select string_agg(k, ', ') from jsonb_object_keys(j.own) as k) || ']' end || ']]}')::jsonb as whole
    from was j
    left join contacts.contacts c on c.account_id = $1 and c.contact_id = j.contact_id
    -- again: left join earlier l on l.contact_id = j.contact_id
    offset 0
), judged as (
    select contact_id, line, fields as back, own as back_own, null::bigint as kept, null::text[] as kept_own, now, own_now, name_birth_zip_hash, whole
    from found
    where whole
    union all
    select contact_id, line, 0, null, null, null, null, null, null, false
    from found
    where gone
    union all
    select w.contact_id, w.line, coalesce(t.back, 0), t.back_own, t.kept, t.kept_own, w.now, w.own_now, null, false
    from found w
    cross join lateral (
        select bit_or(f.bits) filter (where f.word = 'back') as back,
            jsonb_object_agg(f.name, w.own -> f.name) filter (where f.word = 'back' and f.bits & 1 <> 0) as back_own,
            bit_or(f.bits) filter (where f.word = 'kept' and f.bits & 1 = 0) as kept,
            array_agg(f.name) filter (where f.word = 'kept' and f.bits & 1 <> 0) as kept_own
        from (
            select s.bits, s.name, case
                when (n.token ->> 0)::bigint = $2 then 'back' -- back
                when n.token is not distinct from contacts.token(w.origins, s.bit, s.name) then 'same' -- back
                -- again: when n.token is not distinct from contacts.token(w.earlier, s.bit, s.name) then 'back'
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
            cross join lateral (select contacts.token(w.now, s.bit, s.name) as token) as n
        ) as f
    ) as t
    where not w.gone and w.whole is not true
), numbered as (
    select *, row_number() over () as row
    from judged
), kept as (
    insert into undone (contact_id, line, found, kept, kept_own, origins)
    select contact_id, line, case when kept is null and kept_own is null then 1 else 2 end, kept, kept_own,
        case when kept is not null or kept_own is not null then now end
    from numbered
    where back = 0 or kept is not null or kept_own is not null
), own as (
    insert into changed_own (row, own, before, numbers)
    select d.row, d.back_own, (select jsonb_object_agg(k, d.own_now -> k) from jsonb_object_keys(d.back_own) as k),
        (select string_agg(k, ', ') from jsonb_object_keys(d.back_own) as k)
    from numbered d
    where d.back_own is not null
), back as (
    insert into changed (row, line, contact_id, fields, name_birth_zip_hash, whole)
    select row, line, contact_id, back, name_birth_zip_hash, whole
    from numbered
    where back <> 0
    order by contact_id
    returning fields
)
select count(*), coalesce(bit_or(fields), 0)
from back

-- changed is in the order of the primary key, and that mostly is the table's: pages are visited once. For contacts are found by
-- their places, which nobody else moves under the account's lock. $2 is the job's number. A field's bit is set if the row has
-- another value for it or clears it; 281474976710654 are the bits of standard fields.
update contacts.contacts c
set updated_at = now(),
    origins = case
        when x.own is not null and (c.origins is not null or x.as_of is not null) then contacts.origins_with(c.origins, x.fields & 281474976710654, x.own, -- own job
            jsonb_build_array(case when x.as_of is null then jsonb_build_array(x.fields & 281474976710654, $2::bigint, x.line, ('[' || x.numbers || ']')::jsonb) -- own job
                else jsonb_build_array(x.fields & 281474976710654, $2, x.line, ('[' || x.numbers || ']')::jsonb, x.as_of) end)) -- own job
        when x.own is not null then ('{"jobs": [[' || (x.fields & 281474976710654) || ', ' || $2::bigint || ', ' || x.line || ', [' -- own job
            || x.numbers || ']]]}')::jsonb -- own job
        when c.origins is not null or x.as_of is not null then contacts.origins_with(c.origins, x.fields, null, -- job
            jsonb_build_array(case when x.as_of is null then jsonb_build_array(x.fields, $2::bigint, x.line) -- job
                else jsonb_build_array(x.fields, $2, x.line, null, x.as_of) end)) -- job
        else ('{"jobs": [[' || x.fields || ', ' || $2::bigint || ', ' || x.line || ']]}')::jsonb end, -- job
        -- undo: when x.whole then x.origins
        -- undo: else contacts.origins_back(c.origins, x.origins, x.fields & 281474976710654, x.own) end, -- own
        -- undo: else contacts.origins_back(c.origins, x.origins, x.fields, null) end, -- plain
    first_name = case when x.fields & 2 <> 0 then x.first_name else c.first_name end,
    last_name = case when x.fields & 4 <> 0 then x.last_name else c.last_name end,
    full_name = case when x.fields & 8 <> 0 then x.full_name else c.full_name end,
    phone = case when x.fields & 16 <> 0 then x.phone else c.phone end,
    email = case when x.fields & 32 <> 0 then x.email else c.email end,
    birth_date = case when x.fields & 64 <> 0 then x.birth_date else c.birth_date end,
    ssn = case when x.fields & 128 <> 0 then x.ssn else c.ssn end,
    account_number = case when x.fields & 256 <> 0 then x.account_number else c.account_number end,
    zip = case when x.fields & 512 <> 0 then x.zip else c.zip end,
    external_id = case when x.fields & 1024 <> 0 then x.external_id else c.external_id end,
    address = case when x.fields & 4096 <> 0 then x.address else c.address end,
    city = case when x.fields & 8192 <> 0 then x.city else c.city end,
    state = case when x.fields & 16384 <> 0 then x.state else c.state end,
    country = case when x.fields & 32768 <> 0 then x.country else c.country end,
    company = case when x.fields & 65536 <> 0 then x.company else c.company end,
    vat_number = case when x.fields & 131072 <> 0 then x.vat_number else c.vat_number end,
    external_id_hash = case when x.fields & 1024 <> 0 then x.external_id_hash else c.external_id_hash end,
    email_hash = case when x.fields & 32 <> 0 then x.email_hash else c.email_hash end,
    phone_hash = case when x.fields & 16 <> 0 then x.phone_hash else c.phone_hash end,
    account_number_hash = case when x.fields & 256 <> 0 then x.account_number_hash else c.account_number_hash end,
    ssn_hash = case when x.fields & 128 <> 0 then x.ssn_hash else c.ssn_hash end,
    vat_number_hash = case when x.fields & 131072 <> 0 then x.vat_number_hash else c.vat_number_hash end,
    name_birth_zip_hash = case when x.fields & 582 <> 0 then x.name_birth_zip_hash else c.name_birth_zip_hash end
    , own = case when x.own is null then c.own else nullif(jsonb_strip_nulls(coalesce(c.own, '{}') || x.own), '{}') end, -- own
    own_8_hash = case when x.fields & 281474976710656 <> 0 then x.own_8_hash else c.own_8_hash end, -- own
    own_9_hash = case when x.fields & 562949953421312 <> 0 then x.own_9_hash else c.own_9_hash end, -- own
    own_10_hash = case when x.fields & 1125899906842624 <> 0 then x.own_10_hash else c.own_10_hash end, -- own
    own_11_hash = case when x.fields & 2251799813685248 <> 0 then x.own_11_hash else c.own_11_hash end, -- own
    own_12_hash = case when x.fields & 4503599627370496 <> 0 then x.own_12_hash else c.own_12_hash end, -- own
    own_13_hash = case when x.fields & 9007199254740992 <> 0 then x.own_13_hash else c.own_13_hash end, -- own
    own_14_hash = case when x.fields & 18014398509481984 <> 0 then x.own_14_hash else c.own_14_hash end, -- own
    own_15_hash = case when x.fields & 36028797018963968 <> 0 then x.own_15_hash else c.own_15_hash end -- own
from (
    select d.fields, d.line, d.contact_id, d.place, d.name_birth_zip_hash, s.first_name, s.last_name, s.full_name,
        s.phone, s.email, s.birth_date, s.ssn, s.account_number, s.zip, s.external_id, s.address, s.city,
        s.state, s.country, s.company, s.vat_number, s.external_id_hash, s.email_hash, s.phone_hash,
        s.account_number_hash, s.ssn_hash, s.vat_number_hash
        , s.as_of -- job
        -- undo: , s.origins, d.whole
        , o.own, o.numbers, s.own_8_hash, s.own_9_hash, s.own_10_hash, s.own_11_hash, s.own_12_hash, s.own_13_hash, s.own_14_hash, s.own_15_hash -- own
    from changed d
    join staged s on s.ctid = d.source -- job
    -- undo: join was s on s.ctid = d.source
    left join changed_own o on o.row = d.row -- own
    offset 0 -- own
) as x
where c.account_id = $1
    and c.ctid = x.place and c.contact_id is not distinct from x.contact_id

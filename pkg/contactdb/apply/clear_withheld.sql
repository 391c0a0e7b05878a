-- Takes out of the rows what is not followed, with the keys that it makes; a fallback key is made again of what is left.
-- $1 are the numbers of the unique own fields, $2 the bits of their keys.
update staged s
set unset = s.unset & ~k.bits,
    first_name = case when k.bits & 2 = 0 then s.first_name end,
    last_name = case when k.bits & 4 = 0 then s.last_name end,
    full_name = case when k.bits & 8 = 0 then s.full_name end,
    phone = case when k.bits & 16 = 0 then s.phone end,
    email = case when k.bits & 32 = 0 then s.email end,
    birth_date = case when k.bits & 64 = 0 then s.birth_date end,
    ssn = case when k.bits & 128 = 0 then s.ssn end,
    account_number = case when k.bits & 256 = 0 then s.account_number end,
    zip = case when k.bits & 512 = 0 then s.zip end,
    external_id = case when k.bits & 1024 = 0 then s.external_id end,
    address = case when k.bits & 4096 = 0 then s.address end,
    city = case when k.bits & 8192 = 0 then s.city end,
    state = case when k.bits & 16384 = 0 then s.state end,
    country = case when k.bits & 32768 = 0 then s.country end,
    company = case when k.bits & 65536 = 0 then s.company end,
    vat_number = case when k.bits & 131072 = 0 then s.vat_number end,
    phone_hash = case when k.bits & 16 = 0 then s.phone_hash end,
    email_hash = case when k.bits & 32 = 0 then s.email_hash end,
    ssn_hash = case when k.bits & 128 = 0 then s.ssn_hash end,
    account_number_hash = case when k.bits & 256 = 0 then s.account_number_hash end,
    external_id_hash = case when k.bits & 1024 = 0 then s.external_id_hash end,
    vat_number_hash = case when k.bits & 131072 = 0 then s.vat_number_hash end,
    name_birth_zip_hash = case when k.bits & 582 = 0 then s.name_birth_zip_hash end,
    own = nullif(s.own - k.own, '{}'),
    own_8_hash = case when k.bits & 281474976710656 = 0 then s.own_8_hash end,
    own_9_hash = case when k.bits & 562949953421312 = 0 then s.own_9_hash end,
    own_10_hash = case when k.bits & 1125899906842624 = 0 then s.own_10_hash end,
    own_11_hash = case when k.bits & 2251799813685248 = 0 then s.own_11_hash end,
    own_12_hash = case when k.bits & 4503599627370496 = 0 then s.own_12_hash end,
    own_13_hash = case when k.bits & 9007199254740992 = 0 then s.own_13_hash end,
    own_14_hash = case when k.bits & 18014398509481984 = 0 then s.own_14_hash end,
    own_15_hash = case when k.bits & 36028797018963968 = 0 then s.own_15_hash end
from (
    select w.row, bit_or(case when w.field < 256 then 1::bigint << w.field else coalesce(u.bit, 0) end) as bits,
        coalesce(array_agg(w.field::text) filter (where w.field >= 256), '{}') as own
    from kept w
    left join unnest($1::text[], $2::bigint[]) as u (name, bit) on u.name = w.field::text
    group by w.row
) as k
where s.row = k.row

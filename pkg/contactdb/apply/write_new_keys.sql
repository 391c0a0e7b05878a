-- In the order of the hashes: each page of the index is visited once. $2 has bit n if a row may have key n.
insert into contacts.contact_keys (account_id, hash, key, contact_id)
select $1, hash, key, contact_id
from (
    select external_id_hash as hash, 1::smallint as key, contact_id from staged where $2::integer & 2 <> 0 and not known and external_id_hash is not null
    union all
    select email_hash as hash, 2::smallint as key, contact_id from staged where $2::integer & 4 <> 0 and not known and email_hash is not null
    union all
    select phone_hash as hash, 3::smallint as key, contact_id from staged where $2::integer & 8 <> 0 and not known and phone_hash is not null
    union all
    select account_number_hash as hash, 4::smallint as key, contact_id from staged where $2::integer & 16 <> 0 and not known and account_number_hash is not null
    union all
    select ssn_hash as hash, 5::smallint as key, contact_id from staged where $2::integer & 32 <> 0 and not known and ssn_hash is not null
    union all
    select vat_number_hash as hash, 6::smallint as key, contact_id from staged where $2::integer & 64 <> 0 and not known and vat_number_hash is not null
    union all -- own
    select own_8_hash as hash, 8::smallint as key, contact_id from staged where $2::integer & 256 <> 0 and not known and own_8_hash is not null -- own
    union all -- own
    select own_9_hash as hash, 9::smallint as key, contact_id from staged where $2::integer & 512 <> 0 and not known and own_9_hash is not null -- own
    union all -- own
    select own_10_hash as hash, 10::smallint as key, contact_id from staged where $2::integer & 1024 <> 0 and not known and own_10_hash is not null -- own
    union all -- own
    select own_11_hash as hash, 11::smallint as key, contact_id from staged where $2::integer & 2048 <> 0 and not known and own_11_hash is not null -- own
    union all -- own
    select own_12_hash as hash, 12::smallint as key, contact_id from staged where $2::integer & 4096 <> 0 and not known and own_12_hash is not null -- own
    union all -- own
    select own_13_hash as hash, 13::smallint as key, contact_id from staged where $2::integer & 8192 <> 0 and not known and own_13_hash is not null -- own
    union all -- own
    select own_14_hash as hash, 14::smallint as key, contact_id from staged where $2::integer & 16384 <> 0 and not known and own_14_hash is not null -- own
    union all -- own
    select own_15_hash as hash, 15::smallint as key, contact_id from staged where $2::integer & 32768 <> 0 and not known and own_15_hash is not null -- own
) as k
order by hash

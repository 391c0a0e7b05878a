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
) as k
order by hash

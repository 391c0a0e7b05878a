-- Finds the rows that would change their contact. A sealed value differs each time: its hash tells. Of own fields, if the
-- contact has not all that the row says, those that change are gathered with what they were, and their numbers in the
-- order that jsonb keeps, which is theirs. $2 are the numbers of the authorisations: a withdrawn one stays.
with found as (
    select s.row, s.line, s.contact_id, s.name_birth_zip_hash, c.ctid as place, s.ctid as source,
        (case when s.first_name is not null and s.first_name is distinct from c.first_name then 2 else 0 end)
        | (case when s.last_name is not null and s.last_name is distinct from c.last_name then 4 else 0 end)
        | (case when s.full_name is not null and s.full_name is distinct from c.full_name then 8 else 0 end)
        | (case when s.phone is not null and s.phone is distinct from c.phone then 16 else 0 end)
        | (case when s.email is not null and s.email is distinct from c.email then 32 else 0 end)
        | (case when s.birth_date is not null and s.birth_date is distinct from c.birth_date then 64 else 0 end)
        | (case when s.ssn_hash is not null and s.ssn_hash is distinct from c.ssn_hash then 128 else 0 end)
        | (case when s.account_number is not null and s.account_number is distinct from c.account_number then 256 else 0 end)
        | (case when s.zip is not null and s.zip is distinct from c.zip then 512 else 0 end)
        | (case when s.external_id is not null and s.external_id is distinct from c.external_id then 1024 else 0 end)
        | (case when s.address is not null and s.address is distinct from c.address then 4096 else 0 end)
        | (case when s.city is not null and s.city is distinct from c.city then 8192 else 0 end)
        | (case when s.state is not null and s.state is distinct from c.state then 16384 else 0 end)
        | (case when s.country is not null and s.country is distinct from c.country then 32768 else 0 end)
        | (case when s.company is not null and s.company is distinct from c.company then 65536 else 0 end)
        | (case when s.vat_number is not null and s.vat_number is distinct from c.vat_number then 131072 else 0 end)
        | (case when s.unset = 0 then 0 else s.unset & (
            (case when c.first_name is null then 0 else 2 end)
            | (case when c.last_name is null then 0 else 4 end)
            | (case when c.full_name is null then 0 else 8 end)
            | (case when c.phone is null then 0 else 16 end)
            | (case when c.email is null then 0 else 32 end)
            | (case when c.birth_date is null then 0 else 64 end)
            | (case when c.ssn is null then 0 else 128 end)
            | (case when c.account_number is null then 0 else 256 end)
            | (case when c.zip is null then 0 else 512 end)
            | (case when c.external_id is null then 0 else 1024 end)
            | (case when c.address is null then 0 else 4096 end)
            | (case when c.city is null then 0 else 8192 end)
            | (case when c.state is null then 0 else 16384 end)
            | (case when c.country is null then 0 else 32768 end)
            | (case when c.company is null then 0 else 65536 end)
            | (case when c.vat_number is null then 0 else 131072 end)) end)
        | (case when s.own is null then 0 else -- own
            (case when s.own_8_hash is not null and s.own_8_hash is distinct from c.own_8_hash then 281474976710656 else 0 end) -- own
            | (case when s.own_9_hash is not null and s.own_9_hash is distinct from c.own_9_hash then 562949953421312 else 0 end) -- own
            | (case when s.own_10_hash is not null and s.own_10_hash is distinct from c.own_10_hash then 1125899906842624 else 0 end) -- own
            | (case when s.own_11_hash is not null and s.own_11_hash is distinct from c.own_11_hash then 2251799813685248 else 0 end) -- own
            | (case when s.own_12_hash is not null and s.own_12_hash is distinct from c.own_12_hash then 4503599627370496 else 0 end) -- own
            | (case when s.own_13_hash is not null and s.own_13_hash is distinct from c.own_13_hash then 9007199254740992 else 0 end) -- own
            | (case when s.own_14_hash is not null and s.own_14_hash is distinct from c.own_14_hash then 18014398509481984 else 0 end) -- own
            | (case when s.own_15_hash is not null and s.own_15_hash is distinct from c.own_15_hash then 36028797018963968 else 0 end) -- own
            | (case when s.unset < 281474976710656 then 0 else s.unset & ( -- own
                (case when c.own_8_hash is null then 0 else 281474976710656 end) -- own
                | (case when c.own_9_hash is null then 0 else 562949953421312 end) -- own
                | (case when c.own_10_hash is null then 0 else 1125899906842624 end) -- own
                | (case when c.own_11_hash is null then 0 else 2251799813685248 end) -- own
                | (case when c.own_12_hash is null then 0 else 4503599627370496 end) -- own
                | (case when c.own_13_hash is null then 0 else 9007199254740992 end) -- own
                | (case when c.own_14_hash is null then 0 else 18014398509481984 end) -- own
                | (case when c.own_15_hash is null then 0 else 36028797018963968 end)) end) end) -- own
        as fields
        , case when s.own is null or c.own @> s.own then null else ( -- own
            select jsonb_build_array(jsonb_object_agg(e.key, e.value), jsonb_object_agg(e.key, c.own -> e.key), string_agg(e.key, ', ')) -- own
            from jsonb_each(s.own) as e -- own
            where case jsonb_typeof(e.value) -- own
                    when 'null' then c.own ? e.key -- own
                    when 'array' then c.own -> e.key -> 0 is distinct from e.value -> 0 -- own
                    else c.own -> e.key is distinct from e.value end -- own
                and (e.key <> all ($2::text[]) or c.own ->> e.key is distinct from 'False') -- own
            having count(*) > 0 -- own
        ) end as own -- own
    from staged s
    join contacts.contacts c on c.account_id = $1 and c.contact_id = s.contact_id -- whole
    -- part: cross join lateral (select x.*, x.ctid from contacts.contacts x where x.account_id = $1 and x.contact_id = s.contact_id offset 0) as c
    where s.known
    offset 0
), kept as (
    insert into changed (row, line, contact_id, name_birth_zip_hash, place, source, fields)
    select row, line, contact_id, name_birth_zip_hash, place, source, fields
        | case when own is null then 0 else 1 end -- own
    from found
    where fields <> 0
        or own is not null -- own
    order by contact_id
    returning fields
), kept_own as ( -- own
    insert into changed_own (row, own, before, numbers) -- own
    select row, own -> 0, own -> 1, own ->> 2 -- own
    from found -- own
    where own is not null -- own
)
select count(*), coalesce(bit_or(fields), 0)
from kept

-- Takes out the rows that would take a key of another contact, or of an earlier row of this job. Keys that
-- another row gives up count as taken: what a row may do does not hang on what follows it.
with wanted as (
    select s.row, s.contact_id, h.hash
    from staged s
    left join changed d on d.row = s.row
    cross join lateral (values (1024::bigint, s.external_id_hash), (32::bigint, s.email_hash), (16::bigint, s.phone_hash), (256::bigint, s.account_number_hash), (128::bigint, s.ssn_hash), (131072::bigint, s.vat_number_hash)) as h (field, hash)
    where h.hash is not null and (not s.known or d.fields & h.field <> 0)
    union all
    select s.row, s.contact_id, h.hash
    from staged s
    left join changed d on d.row = s.row
    cross join lateral (values (281474976710656::bigint, s.own_8_hash), (562949953421312::bigint, s.own_9_hash), (1125899906842624::bigint, s.own_10_hash), (2251799813685248::bigint, s.own_11_hash), (4503599627370496::bigint, s.own_12_hash), (9007199254740992::bigint, s.own_13_hash), (18014398509481984::bigint, s.own_14_hash), (36028797018963968::bigint, s.own_15_hash)) as h (field, hash)
    where s.own is not null and h.hash is not null and (not s.known or d.fields & h.field <> 0)
), first as (
    select distinct on (hash) hash, row, contact_id
    from wanted
    order by hash, row
), taken as (
    select w.row, k.contact_id
    from wanted w
    cross join lateral (select x.contact_id from contacts.contact_keys x where x.account_id = $1 and x.hash = w.hash offset 0) as k
    where k.contact_id <> w.contact_id
    union all
    select w.row, f.contact_id
    from wanted w
    join first f on f.hash = w.hash and f.row < w.row and f.contact_id <> w.contact_id
), gone as (
    insert into blocked (row, contact_id)
    select distinct on (row) row, contact_id
    from taken
    order by row, contact_id
    returning row
), unstaged as (
    delete from staged s
    using gone g
    where s.row = g.row
), unchanged as (
    delete from changed d
    using gone g
    where d.row = g.row
)
select count(*)
from gone

-- Takes out the rows that would take a key of another contact, or of an earlier row of this job. Keys that
-- another row gives up count as taken: what a row may do does not hang on what follows it.
with wanted as (
    select s.row, s.contact_id, h.hash
    from staged s
    left join changed d on d.row = s.row
    cross join lateral (values (1024::bigint, s.external_id_hash), (32::bigint, s.email_hash), (16::bigint, s.phone_hash), (256::bigint, s.account_number_hash), (128::bigint, s.ssn_hash), (131072::bigint, s.vat_number_hash)) as h (field, hash)
    where h.hash is not null and (not s.known or d.fields & h.field <> 0)
), first as (
    select distinct on (hash) hash, row, contact_id
    from wanted
    order by hash, row
), taken as (
    select w.row, k.contact_id
    from wanted w
    join contacts.contact_keys k on k.account_id = $1 and k.hash = w.hash and k.contact_id <> w.contact_id
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

-- Rows of the same contact count as applied one after the other, in the order of the file: each is compared, field by
-- field, with the row before it that has a word on the field, the first with the contact. A sealed value differs each
-- time: its hash tells.
with several as (
    select contact_id, min(row) as first
    from staged
    where known
    group by contact_id
    having count(*) > 1
), said as (
    select s.contact_id, p.first, s.row, s.line, s.as_of,
        case when v.new is distinct from lag(v.new, 1, v.old) over w then v.field end as changes, v.field
    from several p
    join staged s on s.contact_id = p.contact_id and s.known
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = p.contact_id offset 0) as c
    left join lateral (
        select f.field, f.new, f.old
        from (values
            (2::bigint, s.first_name, c.first_name),
            (4, s.last_name, c.last_name),
            (8, s.full_name, c.full_name),
            (16, s.phone, c.phone),
            (32, s.email, c.email),
            (64, s.birth_date::text, c.birth_date::text),
            (128, s.ssn_hash::text, c.ssn_hash::text),
            (256, s.account_number, c.account_number),
            (512, s.zip, c.zip),
            (1024, s.external_id, c.external_id),
            (4096, s.address, c.address),
            (8192, s.city, c.city),
            (16384, s.state, c.state),
            (32768, s.country, c.country),
            (65536, s.company, c.company),
            (131072, s.vat_number, c.vat_number)
        ) as f (field, new, old)
        where f.new is not null or s.unset & f.field <> 0
    ) as v on true
    window w as (partition by s.contact_id, v.field order by s.row)
), stays as (
    select contact_id, first, row, line, as_of, changes,
        case when row = max(row) filter (where changes is not null) over (partition by contact_id, field) then field end as last
    from said
)
insert into met (row, line, as_of, contact_id, first, fields, last)
select row, min(line), min(as_of), contact_id, min(first), coalesce(bit_or(changes), 0), coalesce(bit_or(last), 0)
from stays
group by contact_id, row

-- The words that would replace what a person gave, with what persons replaced there. Of keys and of secrets there is the
-- hash, of others the value that it is made of. $2 are the numbers of the unique own fields, $3 their keys.
with hand as (
    select s.row, s.contact_id, c.origins, c.own as had, s.own
    from staged s
    cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = s.contact_id offset 0) as c
    where s.known and c.origins - 'jobs' <> '{}'
)
select h.row, h.contact_id, v.field, v.hash, v.new, array(select jsonb_array_elements_text(h.origins -> v.name -> 'replaced')) as replaced
from hand h
join staged s on s.row = h.row
cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = h.contact_id offset 0) as c
cross join lateral (
    values
        (1::integer, 'first_name', null::uuid, s.first_name, c.first_name),
        (2, 'last_name', null, s.last_name, c.last_name),
        (3, 'full_name', null, s.full_name, c.full_name),
        (4, 'phone', s.phone_hash, s.phone, c.phone),
        (5, 'email', s.email_hash, s.email, c.email),
        (6, 'birth_date', null, to_char(s.birth_date, 'YYYY-MM-DD'), to_char(c.birth_date, 'YYYY-MM-DD')),
        (7, 'ssn', s.ssn_hash, s.ssn_hash::text, c.ssn_hash::text),
        (8, 'account_number', s.account_number_hash, s.account_number, c.account_number),
        (9, 'zip', null, s.zip, c.zip),
        (10, 'external_id', s.external_id_hash, s.external_id, c.external_id),
        (12, 'address', null, s.address, c.address),
        (13, 'city', null, s.city, c.city),
        (14, 'state', null, s.state, c.state),
        (15, 'country', null, s.country, c.country),
        (16, 'company', null, s.company, c.company),
        (17, 'vat_number', s.vat_number_hash, s.vat_number, c.vat_number)
) as v (field, name, hash, new, old)
where v.new is not null and v.new is distinct from v.old and h.origins ? v.name
    and not exists (select from kept k where k.row = h.row and k.field = v.field)
union all
select h.row, h.contact_id, e.key::integer,
    case when u.key is not null then case u.key when 8 then s.own_8_hash when 9 then s.own_9_hash when 10 then s.own_10_hash when 11 then s.own_11_hash when 12 then s.own_12_hash when 13 then s.own_13_hash when 14 then s.own_14_hash when 15 then s.own_15_hash end
        when jsonb_typeof(e.value) = 'array' then encode(decode(rpad(e.value ->> 0, 24, '='), 'base64'), 'hex')::uuid end,
    case when jsonb_typeof(e.value) = 'string' then e.value #>> '{}' end,
    array(select jsonb_array_elements_text(h.origins -> e.key -> 'replaced'))
from hand h
join staged s on s.row = h.row
cross join lateral jsonb_each(h.own) as e
left join unnest($2::text[], $3::smallint[]) as u (name, key) on u.name = e.key
where jsonb_typeof(e.value) <> 'null' and h.origins ? e.key
    and case jsonb_typeof(e.value)
        when 'array' then h.had -> e.key -> 0 is distinct from e.value -> 0
        else h.had -> e.key is distinct from e.value end
    and not exists (select from kept k where k.row = h.row and k.field = e.key::integer)

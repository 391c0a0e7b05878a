-- Contacts whose fallback key must be made again, as the rest of it is in the contact and not in the row.
select d.row,
    case when d.fields & 2 <> 0 then s.first_name else c.first_name end,
    case when d.fields & 4 <> 0 then s.last_name else c.last_name end,
    to_char(case when d.fields & 64 <> 0 then s.birth_date else c.birth_date end, 'YYYY-MM-DD'),
    case when d.fields & 512 <> 0 then s.zip else c.zip end
from changed d
join staged s on s.row = d.row -- job
-- undo: join was s on s.contact_id = d.contact_id
cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = d.contact_id offset 0) as c
where d.fields & 582 <> 0 and d.name_birth_zip_hash is null

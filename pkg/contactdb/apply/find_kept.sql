-- Finds the rows that would turn a withdrawn authorisation on again, or take it back. $2 are the numbers of the
-- authorisations.
insert into kept (row, contact_id, field, reason, turns)
select s.row, s.contact_id, a.key::integer, 2, true
from staged s
cross join lateral (select * from contacts.contacts x where x.account_id = $1 and x.contact_id = s.contact_id offset 0) as c
cross join unnest($2::text[]) as a (key)
where s.known and s.own ? a.key and s.own -> a.key <> '"False"' and c.own ->> a.key = 'False'

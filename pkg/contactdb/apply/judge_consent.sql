-- Where a word is not followed for its age and would have turned on or taken back an authorisation that is withdrawn, by
-- the contact or by an earlier row, that is the reason. $2 are the numbers of the authorisations.
update kept k
set reason = 2
from (
    select j.ctid as place
    from kept j
    cross join lateral (select x.own from contacts.contacts x where x.account_id = $1 and x.contact_id = j.contact_id offset 0) as c
    where j.reason = 3 and j.turns and j.field::text = any ($2::text[])
        and (c.own ->> j.field::text = 'False' or exists (
            select from staged s
            where s.known and s.contact_id = j.contact_id and s.row < j.row and s.own ->> j.field::text = 'False'))
) as x
where k.ctid = x.place

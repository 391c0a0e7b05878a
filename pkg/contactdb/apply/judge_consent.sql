-- Where a word is not followed for its age and would have turned on or taken back an authorisation that is withdrawn, by
-- the contact or by an earlier row, that is the reason. $2 are the numbers of the authorisations.
update kept k
set reason = 2
from contacts.contacts c
where c.account_id = $1 and c.contact_id = k.contact_id and k.reason = 3 and k.turns and k.field::text = any ($2::text[])
    and (c.own ->> k.field::text = 'False' or exists (
        select from staged s
        where s.known and s.contact_id = k.contact_id and s.row < k.row and s.own ->> k.field::text = 'False'))

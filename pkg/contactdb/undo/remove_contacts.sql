-- Removes the contacts, which are kept by now.
delete from contacts.contacts c
using undone u
where u.found = 3 and c.ctid = u.place and c.account_id = $1 and c.contact_id = u.contact_id

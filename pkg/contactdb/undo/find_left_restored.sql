-- Finds whom the undo $2 had put on the list $3 again and who is not on it now.
insert into undone (contact_id, line, found)
select r.contact_id, 0, 1
from contacts.restored r
where r.account_id = $1 and r.job_id = $2 and not r.whole
    and not exists (select from contacts.list_members m where m.account_id = $1 and m.contact_id = r.contact_id and m.list_id = $3)

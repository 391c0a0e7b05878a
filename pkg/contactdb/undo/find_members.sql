-- Finds who is on the list $3 by the job $2: those without calls leave it, and removed contacts do anyhow. If that is to be so for those
-- alone whom an undo put there again, it is $4.
insert into undone (contact_id, line, found)
select m.contact_id, 0, case when m.ending is null and m.agent is null and m.attempts_left is null then 6 else 8 end
from contacts.list_members m
-- again: cross join lateral (
-- again:     select from contacts.restored x where x.account_id = $1 and x.job_id = $4 and x.contact_id = m.contact_id offset 0) as r
where m.account_id = $1 and m.list_id = $3 and m.added_by_job = $2

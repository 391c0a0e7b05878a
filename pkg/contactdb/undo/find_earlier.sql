insert into earlier (contact_id, origins)
select contact_id, origins
from contacts.journal
where account_id = $1 and job_id = $2
order by contact_id

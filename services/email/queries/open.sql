-- Notes the mails of a notice: those noted before stay as they are.
insert into email.deliveries (account_id, job_id, notice, recipient, message_id)
select $1, $2, $3, r.recipient, r.message_id
from unnest($4::text[], $5::text[]) as r (recipient, message_id)
on conflict do nothing

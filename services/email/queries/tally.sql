-- How many mails of a notice were sent and refused.
select count(*) filter (where state = 'sent') as sent, count(*) filter (where state = 'refused') as refused
from email.deliveries
where account_id = $1 and job_id = $2 and notice = $3

-- The mails of a notice that have not ended, and how long ago they were noted.
select recipient, message_id, extract(epoch from now() - created_at)::bigint as age_seconds
from email.deliveries
where account_id = $1 and job_id = $2 and notice = $3 and state in ('pending', 'sending')
order by recipient

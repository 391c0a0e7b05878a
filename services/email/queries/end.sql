-- Notes how a mail fared: sent, refused for good, or pending again.
update email.deliveries
set state = $5, last_code = $6, ended_at = case when $5 = 'pending' then null else now() end
where account_id = $1 and job_id = $2 and notice = $3 and recipient = $4 and state = 'sending'

-- Notes that a mail is about to be handed to the mail server.
update email.deliveries
set state = 'sending', attempts = attempts + 1
where account_id = $1 and job_id = $2 and notice = $3 and recipient = $4 and state in ('pending', 'sending')

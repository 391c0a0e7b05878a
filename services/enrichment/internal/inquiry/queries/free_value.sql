-- Lets go of a value of a batch that was given up.
delete from enrichment.answers
where account_id = $1 and provider = $2 and batch_id = $3 and hash = $4

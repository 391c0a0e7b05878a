-- Lets go of all values of a batch that was given up and of which nobody knows any more what was asked.
delete from enrichment.answers
where account_id = $1 and provider = $2 and batch_id = $3

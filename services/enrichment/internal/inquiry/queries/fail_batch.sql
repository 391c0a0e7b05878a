-- Gives a batch up.
update enrichment.batches
set failed = $4, question = null, next_try = null
where account_id = $1 and provider = $2 and batch_id = $3 and answer is null

-- Keeps the answer to a batch. The first one stands.
update enrichment.batches
set answered_at = now(), known = $4, cost_micros = $5, answer = $6, question = null, next_try = null, failed = null
where account_id = $1 and provider = $2 and batch_id = $3 and answer is null

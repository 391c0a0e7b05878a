-- Gives values to a batch that is about to be sent. Of those that another batch has, only what was answered and is too old is
-- given over: fewer rows than values tell that somebody else was faster.
insert into enrichment.answers (account_id, provider, hash, kind, batch_id, position)
select $1, $2, v.hash, v.kind, $3, v.position
from unnest($4::uuid[], $5::smallint[], $6::integer[]) as v (hash, kind, position)
order by v.hash
on conflict (account_id, provider, hash) do update
set batch_id = excluded.batch_id, position = excluded.position, asked_at = now()
where answers.batch_id = excluded.batch_id
    or answers.asked_at < $7 and exists (
        select from enrichment.batches b
        where b.account_id = answers.account_id and b.provider = answers.provider and b.batch_id = answers.batch_id and b.answer is not null)

-- Rows of the same contact are applied one after the other, in the order of the file: the first of each contact in round 0.
with again as (
    select row, row_number() over (partition by contact_id order by row) - 1 as round
    from staged
    where known
), later as (
    update staged s
    set round = a.round
    from again a
    where a.row = s.row and a.round > 0
    returning s.round
)
select coalesce(max(round), 0)::integer
from later

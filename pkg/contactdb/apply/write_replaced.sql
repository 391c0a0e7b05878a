-- What brings back a value that a person replaced is no newer than theirs: reason 3.
insert into kept (row, contact_id, field, reason, turns)
select w.row, w.contact_id, w.field, 3, coalesce(s.own ->> w.field::text <> 'False', false)
from unnest($1::bigint[], $2::uuid[], $3::integer[]) as w (row, contact_id, field)
join staged s on s.row = w.row

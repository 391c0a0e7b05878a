-- How tables are joined from here on. The planner does not know how large an account is that came a moment ago, and takes pairs of all
-- rows with all contacts for a few. rows: no loops but those that a statement spells out, by lateral and offset 0; all else is hashed or
-- merged. place: before statements that find what they write by its place, and nothing there in any other way.
select set_config('enable_nestloop', case $1 when 'place' then 'on' else 'off' end, true), set_config('enable_seqscan', x.scans, true),
    set_config('enable_indexscan', x.scans, true), set_config('enable_indexonlyscan', x.scans, true), set_config('enable_bitmapscan', x.scans, true)
from (select case $1 when 'place' then 'off' else 'on' end) as x (scans)

-- Finds the contacts whose standard fields come back as a whole, as nobody else has given one of them a value since. Where a job with a
-- file, $3, is taken back for the first time, those that lie there as its transaction left them need no closer look. Of others their
-- origins tell, spelled as PostgreSQL spells them. Those whose origins are equal but spelled otherwise are left to find_changed.sql, and
-- so are those with own fields. $2 is the number of the job with a file at the end of the chain.
insert into changed (row, line, contact_id, fields, name_birth_zip_hash, whole, place, source)
select f.row, f.line, f.contact_id, f.fields, f.name_birth_zip_hash, true, f.place, f.source
from (
    select j.row, j.line, j.contact_id, j.fields, j.name_birth_zip_hash, j.origins, c.origins as now, c.ctid as place, j.ctid as source
        , c.xmin = a.xmin and c.updated_at = a.applied_at as untouched -- back
        -- again: , l.origins as earlier
    from was j
    join contacts.contacts c on c.account_id = $1 and c.contact_id = j.contact_id -- whole
    -- part: cross join lateral (select x.*, x.ctid, x.xmin from contacts.contacts x where x.account_id = $1 and x.contact_id = j.contact_id offset 0) as c
    left join contacts.applied a on a.account_id = $1 and a.job_id = $3 -- back
    -- again: left join earlier l on l.contact_id = j.contact_id
    where j.own is null and j.fields <> 0
    offset 0
) as f
where
    case when f.untouched then true -- back
        when f.origins is null -- back
        then f.now::text = '{"jobs": [[' || f.fields || ', ' || $2::bigint || ', ' || f.line || ']]}' -- back
        else f.now = contacts.origins_with(f.origins, f.fields, null, jsonb_build_array(jsonb_build_array(f.fields, $2::bigint, f.line))) end -- back
    -- again: f.now is not distinct from f.earlier and case when f.earlier is null
        -- again: then f.origins::text = '{"jobs": [[' || f.fields || ', ' || $2::bigint || ', ' || f.line || ']]}'
        -- again: else f.origins = contacts.origins_with(f.earlier, f.fields, null, jsonb_build_array(jsonb_build_array(f.fields, $2::bigint, f.line))) end
order by f.contact_id

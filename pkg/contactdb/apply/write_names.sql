update changed d
set name_birth_zip_hash = n.hash
from unnest($1::bigint[], $2::uuid[]) as n (row, hash)
where d.row = n.row

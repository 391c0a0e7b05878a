-- A field's bit is set if the row has another value for it or clears it. $3 is the job's number.
update contacts.contacts c
set updated_at = now(),
    origins = case
        when c.origins is null then jsonb_build_object('jobs', jsonb_build_array(jsonb_build_array(d.fields, $3::bigint, d.line)))
        else contacts.origins_with(c.origins, d.fields, $3, d.line) end,
    first_name = case when d.fields & 2 <> 0 then s.first_name else c.first_name end,
    last_name = case when d.fields & 4 <> 0 then s.last_name else c.last_name end,
    full_name = case when d.fields & 8 <> 0 then s.full_name else c.full_name end,
    phone = case when d.fields & 16 <> 0 then s.phone else c.phone end,
    email = case when d.fields & 32 <> 0 then s.email else c.email end,
    birth_date = case when d.fields & 64 <> 0 then s.birth_date else c.birth_date end,
    ssn = case when d.fields & 128 <> 0 then s.ssn else c.ssn end,
    account_number = case when d.fields & 256 <> 0 then s.account_number else c.account_number end,
    zip = case when d.fields & 512 <> 0 then s.zip else c.zip end,
    external_id = case when d.fields & 1024 <> 0 then s.external_id else c.external_id end,
    address = case when d.fields & 4096 <> 0 then s.address else c.address end,
    city = case when d.fields & 8192 <> 0 then s.city else c.city end,
    state = case when d.fields & 16384 <> 0 then s.state else c.state end,
    country = case when d.fields & 32768 <> 0 then s.country else c.country end,
    company = case when d.fields & 65536 <> 0 then s.company else c.company end,
    vat_number = case when d.fields & 131072 <> 0 then s.vat_number else c.vat_number end,
    external_id_hash = case when d.fields & 1024 <> 0 then s.external_id_hash else c.external_id_hash end,
    email_hash = case when d.fields & 32 <> 0 then s.email_hash else c.email_hash end,
    phone_hash = case when d.fields & 16 <> 0 then s.phone_hash else c.phone_hash end,
    account_number_hash = case when d.fields & 256 <> 0 then s.account_number_hash else c.account_number_hash end,
    ssn_hash = case when d.fields & 128 <> 0 then s.ssn_hash else c.ssn_hash end,
    vat_number_hash = case when d.fields & 131072 <> 0 then s.vat_number_hash else c.vat_number_hash end,
    name_birth_zip_hash = case when d.fields & 582 <> 0 then d.name_birth_zip_hash else c.name_birth_zip_hash end
from changed d
join staged s on s.row = d.row
where c.account_id = $1 and c.contact_id = d.contact_id and d.round = $2

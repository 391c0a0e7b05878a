-- Keeps what contacts were before the job changes them. By their places: see write_changed_contacts.sql.
insert into contacts.journal (account_id, job_id, contact_id, line, fields, origins, updated_at,
    first_name, last_name, full_name, phone, email, birth_date, ssn, account_number, zip, external_id, address, city,
    state, country, company, vat_number, external_id_hash, email_hash, phone_hash, account_number_hash, ssn_hash,
    vat_number_hash, name_birth_zip_hash
    , own, own_8_hash, own_9_hash, own_10_hash, own_11_hash, own_12_hash, own_13_hash, own_14_hash, own_15_hash -- own
)
select $1, $2, c.contact_id, d.line, d.fields, c.origins, c.updated_at,
    case when d.fields & 2 <> 0 then c.first_name end,
    case when d.fields & 4 <> 0 then c.last_name end,
    case when d.fields & 8 <> 0 then c.full_name end,
    case when d.fields & 16 <> 0 then c.phone end,
    case when d.fields & 32 <> 0 then c.email end,
    case when d.fields & 64 <> 0 then c.birth_date end,
    case when d.fields & 128 <> 0 then c.ssn end,
    case when d.fields & 256 <> 0 then c.account_number end,
    case when d.fields & 512 <> 0 then c.zip end,
    case when d.fields & 1024 <> 0 then c.external_id end,
    case when d.fields & 4096 <> 0 then c.address end,
    case when d.fields & 8192 <> 0 then c.city end,
    case when d.fields & 16384 <> 0 then c.state end,
    case when d.fields & 32768 <> 0 then c.country end,
    case when d.fields & 65536 <> 0 then c.company end,
    case when d.fields & 131072 <> 0 then c.vat_number end,
    case when d.fields & 1024 <> 0 then c.external_id_hash end,
    case when d.fields & 32 <> 0 then c.email_hash end,
    case when d.fields & 16 <> 0 then c.phone_hash end,
    case when d.fields & 256 <> 0 then c.account_number_hash end,
    case when d.fields & 128 <> 0 then c.ssn_hash end,
    case when d.fields & 131072 <> 0 then c.vat_number_hash end,
    case when d.fields & 582 <> 0 then c.name_birth_zip_hash end
    , d.before, -- own
    case when d.fields & 281474976710656 <> 0 then c.own_8_hash end, -- own
    case when d.fields & 562949953421312 <> 0 then c.own_9_hash end, -- own
    case when d.fields & 1125899906842624 <> 0 then c.own_10_hash end, -- own
    case when d.fields & 2251799813685248 <> 0 then c.own_11_hash end, -- own
    case when d.fields & 4503599627370496 <> 0 then c.own_12_hash end, -- own
    case when d.fields & 9007199254740992 <> 0 then c.own_13_hash end, -- own
    case when d.fields & 18014398509481984 <> 0 then c.own_14_hash end, -- own
    case when d.fields & 36028797018963968 <> 0 then c.own_15_hash end -- own
from (select d.*, o.before from changed d left join changed_own o on o.row = d.row offset 0) as d -- own
-- plain: from changed d
join contacts.contacts c on c.account_id = $1 and c.ctid = d.place and c.contact_id is not distinct from d.contact_id

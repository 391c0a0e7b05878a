-- Of a list that is named, and not by its id, it is the one of that name.
insert into contacts.applied (account_id, job_id, token, rows, added, updated, unchanged, duplicate, unmatched, invalid,
    conflict, held, suppressed, outcomes_name, outcomes_size, outcomes_sha256, first_made, last_made, number, as_of, undo_of,
    list_id, list_name, removed, newer_here)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    coalesce($22::uuid, (select list_id from contacts.lists where account_id = $1 and name = $23::text)), nullif($23::text, ''), $24, $25)

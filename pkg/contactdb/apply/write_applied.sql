insert into contacts.applied (account_id, job_id, token, rows, added, updated, unchanged, duplicate, unmatched, invalid,
    conflict, held, suppressed, outcomes_name, outcomes_size, outcomes_sha256, first_made, last_made)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)

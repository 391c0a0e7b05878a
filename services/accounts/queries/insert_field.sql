INSERT INTO fields (account_id, number, name, label, type, required, key, max_length, headings)
VALUES ($1, $2, $3, $4, $5, $6, nullif($7::smallint, 0), $8, $9)
RETURNING created_at

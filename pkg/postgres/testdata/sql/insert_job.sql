INSERT INTO job (account_id, id, name) VALUES ($1, $2, $3)

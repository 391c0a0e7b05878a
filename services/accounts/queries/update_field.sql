UPDATE fields
SET label = $3, required = $4, max_length = $5, headings = $6
WHERE account_id = $1 AND number = $2 AND retired_at IS NULL

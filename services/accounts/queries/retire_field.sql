UPDATE fields
SET retired_at = now()
WHERE account_id = $1 AND number = $2 AND retired_at IS NULL

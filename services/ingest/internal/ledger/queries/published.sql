DELETE FROM outbox WHERE account_id = $1 AND number = ANY ($2)

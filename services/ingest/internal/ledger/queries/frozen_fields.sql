SELECT fields FROM frozen_fields WHERE account_id = $1 AND hash = $2

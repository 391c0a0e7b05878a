SELECT last_event FROM queues WHERE account_id = $1

analyze changed (row, contact_id)

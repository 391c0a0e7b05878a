analyze kept (row, contact_id)

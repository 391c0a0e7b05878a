analyze met (row, first, contact_id)

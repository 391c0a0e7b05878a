analyze undone (contact_id, found)

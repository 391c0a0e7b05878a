analyze earlier (contact_id)

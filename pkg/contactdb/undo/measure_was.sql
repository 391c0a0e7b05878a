analyze was (contact_id)

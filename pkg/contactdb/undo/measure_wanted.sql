analyze wanted (contact_id, field, next)

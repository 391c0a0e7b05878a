analyze staged (row, contact_id, known)

INSERT INTO audit (account_id, audit_id, actor_role, actor_key, action, object_id, fields)
VALUES ($1, $2, $3, $4, $5, $6, $7)

UPDATE uploads
SET parts = parts || $5::jsonb, "offset" = "offset" + $6, hash_state = $7,
    expires_at = greatest(expires_at, clock_timestamp() + $8::double precision * interval '1 second')
WHERE account_id = $1 AND upload_id = $2 AND state = 'OPEN' AND writer = $3 AND "offset" = $4
RETURNING expires_at

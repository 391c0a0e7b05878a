INSERT INTO codes (account_id, number, code, label, retired, position)
SELECT $1, $2, code, label, retired, position
FROM unnest($3::text[], $4::text[], $5::boolean[], $6::integer[]) AS t (code, label, retired, position)
ON CONFLICT (account_id, number, code) DO UPDATE
SET label = excluded.label, retired = excluded.retired

INSERT INTO seen_files AS s (account_id, headings_key, columns, shares, job_number, first_number, used_at)
VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $5, $6)
ON CONFLICT (account_id, headings_key) DO UPDATE
SET columns = excluded.columns, shares = excluded.shares, job_number = excluded.job_number, used_at = greatest(s.used_at, excluded.used_at)

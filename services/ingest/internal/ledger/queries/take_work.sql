UPDATE jobs SET work_kept = 'DUE'
WHERE account_id = $1 AND job_id = $2 AND work_kept <> 'SWEPT' AND ended_at <= clock_timestamp() - $3::double precision * interval '1 second'
RETURNING job_id

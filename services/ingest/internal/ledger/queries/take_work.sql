UPDATE jobs SET work_kept = 'DUE'
WHERE account_id = $1 AND job_id = $2 AND work_kept <> 'SWEPT' AND ended_at <= clock_timestamp() - coalesce(result_days * interval '1 day', $3::double precision * interval '1 second')
RETURNING job_id

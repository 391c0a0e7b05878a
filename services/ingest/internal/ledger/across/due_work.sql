SELECT account_id, job_id FROM jobs
WHERE work_kept <> 'SWEPT' AND ended_at <= clock_timestamp() - coalesce(result_days * interval '1 day', $1::double precision * interval '1 second')
LIMIT $2

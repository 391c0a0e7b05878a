UPDATE jobs SET work_kept = 'SWEPT' WHERE account_id = $1 AND job_id = $2 AND work_kept = 'DUE'

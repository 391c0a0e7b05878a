SELECT job_id FROM jobs WHERE account_id = $1 AND job_id = ANY ($2) AND work_kept <> 'SWEPT'

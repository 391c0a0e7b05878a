UPDATE jobs SET file_kept = 'SWEPT' WHERE account_id = $1 AND upload_id = $2 AND file_kept = 'DUE'

DELETE FROM uploads WHERE account_id = $1 AND upload_id = $2 AND state = 'OPEN'

UPDATE uploads SET multipart = $4 WHERE account_id = $1 AND upload_id = $2 AND state = 'OPEN' AND writer = $3

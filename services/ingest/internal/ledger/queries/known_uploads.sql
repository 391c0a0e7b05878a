SELECT upload_id FROM uploads WHERE account_id = $1 AND upload_id = ANY ($2)
UNION
SELECT upload_id FROM jobs WHERE account_id = $1 AND upload_id = ANY ($2) AND file_kept <> 'SWEPT'

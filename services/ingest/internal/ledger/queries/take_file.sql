-- Under the row lock, which Retry holds too: a file with a job that is not old enough stays.
UPDATE jobs SET file_kept = 'DUE'
WHERE account_id = $1 AND upload_id = $2 AND file_kept <> 'SWEPT'
  AND NOT EXISTS (SELECT FROM jobs o WHERE o.account_id = $1 AND o.upload_id = $2
                                      AND (o.ended_at IS NULL OR o.ended_at > clock_timestamp() - coalesce(o.raw_days * interval '1 day', $3::double precision * interval '1 second')))
RETURNING file_object

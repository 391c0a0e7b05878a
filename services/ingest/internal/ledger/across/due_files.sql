SELECT DISTINCT account_id, upload_id FROM jobs j
WHERE file_kept <> 'SWEPT' AND ended_at <= clock_timestamp() - coalesce(raw_days * interval '1 day', $1::double precision * interval '1 second')
  AND NOT EXISTS (SELECT FROM jobs o WHERE o.account_id = j.account_id AND o.upload_id = j.upload_id
                                      AND (o.ended_at IS NULL OR o.ended_at > clock_timestamp() - coalesce(o.raw_days * interval '1 day', $1::double precision * interval '1 second')))
LIMIT $2

DELETE FROM instances WHERE superseded AND last_seen < clock_timestamp() - interval '7 days'

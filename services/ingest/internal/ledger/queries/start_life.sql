INSERT INTO instances (instance, incarnation, started_at, last_seen) VALUES ($1, $2, clock_timestamp(), clock_timestamp())
ON CONFLICT (instance, incarnation) DO UPDATE SET last_seen = greatest(instances.last_seen, excluded.last_seen)
RETURNING superseded

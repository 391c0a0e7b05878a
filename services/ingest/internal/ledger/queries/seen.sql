-- The last statement of a claim: its row lock orders claims against StartInstance.
INSERT INTO instances (instance, incarnation, started_at, last_seen) VALUES ($1, $2, $3, $3)
ON CONFLICT (instance, incarnation) DO UPDATE SET last_seen = greatest(instances.last_seen, excluded.last_seen)
RETURNING superseded

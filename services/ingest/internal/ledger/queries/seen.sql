-- The last statement of a claim: its row lock orders claims against StartInstance. A life that was superseded is seen no more: it would be
-- left without the moment, which the column refuses, and with it all that the transaction did.
INSERT INTO instances (instance, incarnation, started_at, last_seen) VALUES ($1, $2, $3, $3)
ON CONFLICT (instance, incarnation) DO UPDATE SET last_seen = CASE WHEN NOT instances.superseded THEN greatest(instances.last_seen, excluded.last_seen) END

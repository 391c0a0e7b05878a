-- An instance that only rests is noted again with its next claim.
DELETE FROM instances
WHERE (instance, incarnation) IN (SELECT instance, incarnation FROM instances WHERE last_seen < clock_timestamp() - interval '7 days'
                                  FOR UPDATE SKIP LOCKED)

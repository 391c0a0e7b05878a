-- +goose Up

-- How files change contacts, where a job does not say otherwise. Rules are a JSON object of field name, or * for all that
-- are not named, to rule: that a name is a field's, and one of match_by a key's, is seen to under the lock of the row.
-- An empty match_by is all keys.
ALTER TABLE accounts ADD COLUMN rules     jsonb  NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rules) = 'object');
ALTER TABLE accounts ADD COLUMN hand_made text   NOT NULL DEFAULT 'new-values' CHECK (hand_made IN ('new-values', 'keep', 'replace'));
ALTER TABLE accounts ADD COLUMN match_by  text[] COLLATE "C" NOT NULL DEFAULT '{}' CHECK (cardinality(match_by) <= 16);
GRANT UPDATE (rules, hand_made, match_by) ON accounts TO accounts;

-- +goose Up

-- What a job does whose provider does not answer, and for how many days a provider's answers are used again.
ALTER TABLE accounts ADD COLUMN provider_down text    NOT NULL DEFAULT 'wait' CHECK (provider_down IN ('wait', 'complete'));
ALTER TABLE accounts ADD COLUMN provider_days integer NOT NULL DEFAULT 90 CHECK (provider_days BETWEEN 1 AND 3650);
GRANT UPDATE (provider_down, provider_days) ON accounts TO accounts;

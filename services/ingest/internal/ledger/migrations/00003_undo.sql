-- +goose Up
ALTER TABLE jobs ADD kind text NOT NULL DEFAULT 'import' CHECK (kind IN ('import', 'undo'));
ALTER TABLE jobs ADD undo_of uuid;            -- the job that it takes back
ALTER TABLE jobs ADD undo_of_number bigint;   -- of that job
ALTER TABLE jobs ALTER upload_id DROP NOT NULL;
ALTER TABLE jobs ADD newer_here bigint NOT NULL DEFAULT 0; -- rows with a value that is newer here than in the file
ALTER TABLE jobs ADD removed bigint NOT NULL DEFAULT 0;    -- of the updated ones, contacts that were removed
ALTER TABLE jobs
    -- An undo has no file: there is nothing to validate, match, ask or sweep.
    ADD CONSTRAINT jobs_undo CHECK (CASE kind
        WHEN 'undo' THEN num_nulls(undo_of, undo_of_number) = 0 AND upload_id IS NULL AND file_kept = 'SWEPT' AND newer_here = 0
            AND state NOT IN ('QUEUED', 'VALIDATING', 'NEEDS_ANSWER', 'MATCHING', 'AWAITING_APPROVAL', 'ENRICHING', 'EXPORTING')
        ELSE num_nonnulls(undo_of, undo_of_number) = 0 AND upload_id IS NOT NULL AND removed = 0 END),
    ADD CONSTRAINT jobs_counts_within CHECK (newer_here BETWEEN 0 AND rows AND removed BETWEEN 0 AND updated);

-- +goose Down
ALTER TABLE jobs DROP CONSTRAINT jobs_counts_within, DROP CONSTRAINT jobs_undo, DROP removed, DROP newer_here, DROP undo_of_number, DROP undo_of, DROP kind;

-- A file that came with one job alone, and that job was undone.
DELETE FROM seen_files WHERE account_id = $1 AND first_number = $2 AND job_number = $2

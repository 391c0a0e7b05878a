select rows, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held, suppressed,
    outcomes_name, outcomes_size, outcomes_sha256, first_made, last_made, removed, newer_here, list_id, coalesce(list_name, '')
from contacts.applied
where account_id = $1 and job_id = $2

select rows, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held, suppressed,
    outcomes_name, outcomes_size, outcomes_sha256
from contacts.applied
where account_id = $1 and job_id = $2

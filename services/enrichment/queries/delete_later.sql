-- Nothing of the job is left to ask about.
delete from enrichment.later
where account_id = $1 and job_id = $2

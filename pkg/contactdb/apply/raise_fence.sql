-- $7: whoever was at work was ended. Else the fence is raised only if nobody is.
insert into contacts.fences as f (account_id, token, job_id, job_number, backend_pid, backend_start)
values ($1, $2, $3, $4, $5, $6)
on conflict (account_id) do update
set token = excluded.token, job_id = excluded.job_id, job_number = excluded.job_number,
    backend_pid = excluded.backend_pid, backend_start = excluded.backend_start
where f.token <= excluded.token
    and ($7 or f.backend_pid = 0 or f.backend_pid = excluded.backend_pid and f.backend_start = excluded.backend_start)

-- The list on which the job put contacts: by its id, or else whichever has its name now. If there is neither, whether it can be made
-- again.
select (
    select l.list_id
    from contacts.lists l
    where l.account_id = $1 and (l.list_id = $2 or l.name = $3)
    order by l.list_id = $2 desc
    limit 1
), exists (
    select
    from contacts.removed_lists r
    where r.account_id = $1 and r.list_id = $2
)

-- Whether the undone job changed contacts without changing own fields of theirs.
select exists (
    select
    from was
    where own is null
)

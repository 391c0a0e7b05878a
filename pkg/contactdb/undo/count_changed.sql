select (select count(*) from changed), (select coalesce(bit_or(fields), 0) from changed), (select count(*) from undone where found = 5),
    (select count(*) from undone where found = 3)

SELECT EXISTS (
    SELECT FROM contacts.suppressions
    WHERE account_id = $1 AND hash = ANY ($2::uuid[])
)

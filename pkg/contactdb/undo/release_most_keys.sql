-- As release_removed_keys.sql, where so many of the account's contacts are removed that its keys are better read from end to
-- end than looked up.
delete from contacts.contact_keys k
using undone u
where u.found = 3 and k.account_id = $1 and k.contact_id = u.contact_id

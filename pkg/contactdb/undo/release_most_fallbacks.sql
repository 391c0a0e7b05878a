-- As release_removed_fallbacks.sql, where so many of the account's contacts are removed that all fallback keys are better read.
delete from contacts.contact_fallbacks f
using undone u
where u.found = 3 and f.account_id = $1 and f.contact_id = u.contact_id

-- Contacts that have nothing left that comes back.
delete from changed
where fields = 0

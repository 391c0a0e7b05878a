delete from staged s
using met m
where s.row = m.row and m.row <> m.first

module github.com/contactmill/contactmill/proto

go 1.26.0

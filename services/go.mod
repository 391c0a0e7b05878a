module github.com/contactmill/contactmill/services

go 1.26.0

require (
	github.com/contactmill/contactmill/pkg v0.0.0
	github.com/contactmill/contactmill/proto v0.0.0
)

replace (
	github.com/contactmill/contactmill/pkg => ../pkg
	github.com/contactmill/contactmill/proto => ../proto
)

// Accounts knows the tenants and their API keys; see package accounts.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/accounts"
)

func main() { run.Main("accounts", accounts.Process) }

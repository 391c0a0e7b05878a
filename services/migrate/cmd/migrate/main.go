// Migrate brings the database of every service up to date; see package migrate.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/migrate"
)

func main() { run.Main("migrate", migrate.Process) }

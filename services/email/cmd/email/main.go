// Email tells people how jobs ended; see package email.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/email"
)

func main() { run.Main("email", email.Process) }

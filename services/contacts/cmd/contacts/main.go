// Contacts shows contacts, takes edits by hand and matches rows; see package contacts.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/contacts"
)

func main() { run.Main("contacts", contacts.Process) }

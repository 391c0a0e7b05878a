package validator

import (
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
)

// keyChoice is what rows are matched by.
type keyChoice struct {
	mask  uint16 // bit n for key n; 0 for all
	names string // where not all are meant
}

func newKeyChoice(mask uint16, schema *contact.Schema) keyChoice {
	c := keyChoice{mask: mask}
	if mask == 0 {
		return c
	}
	var names []string
	for k := range contact.Key(contact.Keys) {
		if mask>>k&1 == 1 {
			names = append(names, schema.KeyName(k))
		}
	}
	c.names = strings.Join(names, ", ")
	return c
}

// has tells whether one of a row's keys is among them.
func (c keyChoice) has(keys uint16) bool { return keys != 0 && (c.mask == 0 || keys&c.mask != 0) }

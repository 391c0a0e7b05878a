// Merge applies jobs to the contact database; see package merge.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/merge"
)

func main() { run.Main("merge", merge.Process) }

// Enrichment matches rows to contacts and asks a provider about new ones; see package enrichment.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/enrichment"
)

func main() { run.Main("enrichment", enrichment.Process) }

// Provider is the bundled source of enrichment; see package provider.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/provider"
)

func main() { run.Main("provider", provider.Process) }

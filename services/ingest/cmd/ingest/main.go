// Ingest takes files and knows what becomes of them; see package ingest.
package main

import (
	"github.com/contactmill/contactmill/pkg/run"
	"github.com/contactmill/contactmill/services/ingest"
)

func main() { run.Main("ingest", ingest.Process) }

// Command testprovider is a provider of enrichment for tests; see package testprovider.
package main

import (
	"os"

	"github.com/contactmill/contactmill/deploy/standalone/testprovider"
)

func main() { os.Exit(testprovider.Main(os.Args[1:], os.Stderr)) }

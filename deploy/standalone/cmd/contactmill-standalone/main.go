// Command contactmill-standalone runs the whole platform on one machine; see package standalone.
package main

import (
	"os"

	"github.com/contactmill/contactmill/deploy/standalone"
	"github.com/contactmill/contactmill/deploy/standalone/parts"
)

func main() {
	parts.Child()
	os.Exit(standalone.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

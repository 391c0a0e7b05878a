// Command contactmill-cluster runs the platform on one machine in a process for each service and replica; see package cluster.
package main

import (
	"os"

	"github.com/contactmill/contactmill/deploy/standalone/cluster"
	"github.com/contactmill/contactmill/deploy/standalone/parts"
)

func main() {
	parts.Child()
	os.Exit(cluster.Main(os.Args[1:], os.Environ(), os.Stderr))
}

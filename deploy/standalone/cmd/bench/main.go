// Command bench measures the platform; see package bench.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/contactmill/contactmill/deploy/standalone/bench"
	"github.com/contactmill/contactmill/deploy/standalone/parts"
)

func main() {
	parts.Child()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := bench.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Command contactmill is the command line of Contactmill.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/contactmill/contactmill/services/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

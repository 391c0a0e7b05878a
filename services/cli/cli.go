// Package cli is the command line: what people and scripts hand files in with, follow jobs and manage contacts.
//
//	In        arguments, environment, files, standard input
//	Out       gRPC to ingest, contacts and accounts; results on standard output, progress and errors on standard error
//	Owns      nothing: a pure client
//	Promises  results are alike for people (-o table) and scripts (-o json, jsonl); exit codes tell how it ended:
//	          0 done, 1 error, 2 usage, 3 finished with rejects, 4 not found, 5 waits for a person
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
)

// The exit codes.
const (
	exitDone     = 0
	exitError    = 1
	exitUsage    = 2
	exitRejects  = 3
	exitNotFound = 4
	exitWaits    = 5
)

// program is one run of the command line.
type program struct {
	environ        []string
	in             io.Reader
	out, err       io.Writer
	addr, output   string
	connected      *client
	exit           int
	terminal       bool // err is one
	terminalOutput bool // out is one
}

// Run runs one command and returns its exit code. Terminals are told by the files given: progress bars and colours are for them only.
func Run(ctx context.Context, args, environ []string, in io.Reader, out, errs io.Writer) int {
	p := &program{environ: environ, in: in, out: out, err: errs, terminal: isTerminal(errs), terminalOutput: isTerminal(out)}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if p.connected != nil {
		p.connected.close()
	}
	if err == nil {
		return p.exit
	}
	return p.fail(ctx, err)
}

// usage is an error of the command's words.
type usage struct{ error }

func (p *program) fail(ctx context.Context, err error) int {
	var u usage
	if errors.As(err, &u) || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(p.err, "contactmill: %v\n", err)
		fmt.Fprintln(p.err, "contactmill --help lists the commands, contactmill COMMAND --help a command's flags.")
		return exitUsage
	}
	if ctx.Err() != nil {
		fmt.Fprintln(p.err, "contactmill: stopped; what was handed in goes on")
		return exitError
	}
	text := err.Error()
	if fault.Of(err) == fault.Internal && fault.Code(err) != "" {
		text += " (" + fault.Code(err) + ")"
	}
	fmt.Fprintf(p.err, "contactmill: %s\n", text)
	if h := fault.HintOf(err); h != "" {
		fmt.Fprintf(p.err, "  %s\n", h)
	}
	if errors.Is(err, fault.NotFound) {
		return exitNotFound
	}
	return exitError
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "contactmill",
		Short:         "Hand in files of contacts, follow their jobs, manage contacts",
		Long:          "Hand in files of contacts, follow their jobs, manage contacts.\n\nThe server is told by CONTACTMILL_ADDR (default 127.0.0.1:7443) and CONTACTMILL_API_KEY or CONTACTMILL_API_KEY_FILE.\nExit codes: 0 done, 1 error, 2 usage, 3 finished with rejects, 4 not found, 5 waits for a person.",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch p.output {
			case "table", "json", "jsonl":
				return nil
			}
			return usage{fmt.Errorf("-o %s: use table, json or jsonl", p.output)}
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.PersistentFlags().StringVar(&p.addr, "addr", "", "server, host:port; several replicas with commas")
	root.PersistentFlags().StringVarP(&p.output, "output", "o", "table", "table, json or jsonl")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(p.importCommand(), p.jobs(), p.contacts(), p.lists(), p.events(), p.template(), p.accounts(), p.keys())
	return root
}

// args makes cobra's check of the number of arguments a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if err := check(c, a); err != nil {
			return usage{fmt.Errorf("%s: %w", c.CommandPath(), err)}
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: func(c *cobra.Command, a []string) error {
		if len(a) > 0 {
			return usage{fmt.Errorf("unknown command %q for %q", a[0], c.CommandPath())}
		}
		return nil
	}, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(commands...)
	return c
}

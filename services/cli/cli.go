// Package cli is the command line: what people and scripts hand files in with, follow jobs and manage contacts.
//
//	In        arguments, environment, files, standard input
//	Out       gRPC to ingest, contacts, accounts and validator; results on standard output, progress and errors on standard error
//	Owns      nothing: a pure client
//	Promises  results are alike for people (-o table) and scripts (-o json, jsonl); exit codes tell how it ended:
//	          0 done, 1 error, 2 usage, 3 finished with rejects, 4 not found, 5 waits for a person
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
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
	environ      []string
	in           io.Reader
	out, err     io.Writer
	addr, output string
	server       string // where the last client was to connect
	connected    *client
	exit         int
	terminal     bool // err is one, and can redraw a line
}

// Run runs one command and returns its exit code. Terminals are told by the files given: progress bars and colours are for them only.
func Run(ctx context.Context, args, environ []string, in io.Reader, out, errs io.Writer) int {
	p := &program{environ: environ, in: in, out: out, err: errs, terminal: isTerminal(errs) && !slices.Contains(environ, "TERM=dumb")}
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

// interrupted is a command that was stopped from outside: what goes on without it, and how to take it up again.
type interrupted struct{ what, hint string }

func (i interrupted) Error() string { return i.what }

func (p *program) fail(ctx context.Context, err error) int {
	if u, ok := errors.AsType[usage](err); ok || strings.HasPrefix(err.Error(), "unknown command") {
		if ok {
			err = u.error
		}
		p.complain(err.Error(), "contactmill --help lists the commands, contactmill COMMAND --help a command's flags.")
		return exitUsage
	}
	if i, ok := errors.AsType[interrupted](err); ok {
		p.complain(i.what, i.hint)
		return exitError
	}
	if ctx.Err() != nil {
		p.complain("stopped", "")
		return exitError
	}
	text, hint := p.explain(err)
	p.complain(text, hint)
	if errors.Is(err, fault.NotFound) {
		return exitNotFound
	}
	return exitError
}

// explain is an error in the words of who uses the command line.
func (p *program) explain(err error) (text, hint string) {
	text, hint = err.Error(), fault.HintOf(err)
	switch kind, code := fault.Of(err), fault.Code(err); {
	case kind == fault.Internal && code != kind.String():
		text += " (" + code + ")"
	case kind == fault.Unavailable && code == kind.String() && p.server != "": // nobody said so: there was no answer
		text = fmt.Sprintf("the server at %s cannot be reached: %s", p.server, strings.Trim(text[strings.LastIndex(text, ": ")+1:], "\" "))
		hint = "is it running, and is this its address? --addr or CONTACTMILL_ADDR says where it is"
	case kind == fault.Unauthenticated && p.server != "":
		text, hint = "the server does not know this API key", "check CONTACTMILL_API_KEY or CONTACTMILL_API_KEY_FILE; a key that was revoked is good no more"
	case kind == fault.Denied && hint == "":
		hint = "it needs an API key of another role"
	}
	return text, hint
}

// complain says what went wrong and what to do.
func (p *program) complain(text, hint string) {
	fmt.Fprintf(p.err, "contactmill: %s\n", printable(text))
	if hint != "" {
		fmt.Fprintf(p.err, "  %s\n", printable(hint))
	}
}

// version is what the program was built from.
func version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := b.Main.Version
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "contactmill",
		Short:         "Hand in files of contacts, follow their jobs, manage contacts",
		Long:          "Hand in files of contacts, follow their jobs, manage contacts.\n\nThe server is told by CONTACTMILL_ADDR (default 127.0.0.1:7443) and CONTACTMILL_API_KEY or CONTACTMILL_API_KEY_FILE.\nExit codes: 0 done, 1 error, 2 usage, 3 finished with rejects, 4 not found, 5 waits for a person.",
		Version:       version(),
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
	root.SetVersionTemplate("contactmill {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		text, _, _ := strings.Cut(err.Error(), ": strconv.") // the parser's own words help nobody
		return usage{errors.New(text)}
	})
	root.PersistentFlags().StringVar(&p.addr, "addr", "", "server, host:port; several replicas with commas")
	root.PersistentFlags().StringVarP(&p.output, "output", "o", "table", "table, json or jsonl")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(p.importCommand(), p.inspect(), p.jobs(), p.contacts(), p.lists(), p.fields(), p.codes(), p.template(), p.events(), p.accounts(), p.keys(), p.provider())
	return root
}

// args makes cobra's check of the number of arguments a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if err := check(c, a); err != nil {
			return usage{fmt.Errorf("say %s", c.UseLine())}
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

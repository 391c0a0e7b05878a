package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"golang.org/x/term"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/jsonview"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// one prints a single thing: as people want it by the function given, or as JSON.
func (p *program) one(m proto.Message, table func()) error {
	if p.output == "table" {
		table()
		return nil
	}
	return p.json(m)
}

// json prints a message: indented for json, on one line for jsonl.
func (p *program) json(m proto.Message) error {
	b, err := jsonview.Marshal(m)
	if err != nil {
		return fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return p.raw(b)
}

func (p *program) raw(b []byte) error {
	if p.output == "json" {
		var nice bytes.Buffer
		if err := json.Indent(&nice, b, "", "  "); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		b = nice.Bytes()
	}
	_, err := p.out.Write(append(b, '\n'))
	return err
}

// listing prints things: a table with a heading, a JSON array, or a JSON line each.
type listing struct {
	p       *program
	table   *tabwriter.Writer
	pending bool // json: the array is open and has an element
	open    bool
}

func (p *program) list(headings ...string) *listing {
	l := &listing{p: p}
	if p.output == "table" {
		l.table = tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(l.table, strings.ToUpper(strings.Join(headings, "\t")))
	}
	return l
}

func (l *listing) add(m proto.Message, cells ...string) error {
	switch l.p.output {
	case "table":
		for i, c := range cells {
			cells[i] = printable(c)
		}
		_, err := fmt.Fprintln(l.table, strings.Join(cells, "\t"))
		return err
	case "jsonl":
		return l.p.json(m)
	}
	b, err := jsonview.Marshal(m)
	if err != nil {
		return fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	lead := "[\n  "
	if l.pending {
		lead = ",\n  "
	}
	l.pending, l.open = true, true
	_, err = fmt.Fprintf(l.p.out, "%s%s", lead, b)
	return err
}

func (l *listing) end() error {
	switch {
	case l.table != nil:
		return l.table.Flush()
	case l.p.output == "jsonl":
		return nil
	case l.open:
		_, err := fmt.Fprintln(l.p.out, "\n]")
		return err
	}
	_, err := fmt.Fprintln(l.p.out, "[]")
	return err
}

// printable is a text that somebody else wrote, safe for a terminal: nothing in it moves the cursor or turns the line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

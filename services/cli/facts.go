package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// mostNamed is how many columns, values or samples are named before the rest is counted.
	mostNamed = 10

	// ofReport is how columns of a corrected report are told from those that its file had.
	ofReport = "report"

	// mostShown is how many characters of a sample or a value are shown.
	mostShown = 40
)

// evidence is how a charset was found, in words.
var evidence = map[string]string{
	"bom": "by its byte order mark", "utf-16-test": "by its zero bytes", "utf-8": "all of it is valid", "ascii": "nothing but ASCII",
	"account-default": "the account's charset, for it is no UTF-8", "given": "as said",
}

// characters is how a delimiter or quote is called.
var characters = map[string]string{",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space", ":": "colon"}

// factsLine is what a file turned out to be, in a line.
func factsLine(f *ingestv1.FileFacts) string {
	kind := strings.ToUpper(f.Format)
	if f.Container != "" {
		kind += " in " + f.Container
	}
	parts := []string{kind}
	add := func(format string, a ...any) { parts = append(parts, fmt.Sprintf(format, a...)) }
	if f.Encoding != "" {
		how := f.Evidence
		if words, ok := evidence[how]; ok {
			how = words
		}
		if how != "" {
			how = " (" + how + ")"
		}
		add("%s%s", f.Encoding, how)
	}
	if f.Delimiter != "" {
		name, ok := characters[f.Delimiter]
		if !ok {
			name = "delimiter " + f.Delimiter
		}
		if f.SeparatorLine {
			name += " (by its sep= line)"
		}
		add("%s", name)
	}
	switch {
	case f.Quote == "none":
		add("no quotes")
	case f.Quote != "" && f.Escape == `\`:
		add(`quotes %s, within them \%s`, f.Quote, f.Quote)
	case f.Quote != "":
		add("quotes %s", f.Quote)
	}
	if f.LineEnd != "" {
		add("%s", f.LineEnd)
	}
	if f.Sheet != "" {
		add("sheet %s", f.Sheet)
	}
	if f.HeadingLine > 0 {
		add("heading on line %s", humanize.Comma(f.HeadingLine))
	}
	return printable(strings.Join(parts, " · "))
}

// fileRemarks says what there is to know of a file as a whole: its sheets, what was taken by default, what is odd.
func (p *program) fileRemarks(f *ingestv1.FileFacts) {
	if len(f.GetSheets()) > 1 {
		var names []string
		for _, s := range f.Sheets {
			name := s.Name
			switch {
			case name == f.Sheet:
				name += " (read)"
			case !s.HasData:
				name += " (empty)"
			case s.Hidden:
				name += " (hidden)"
			}
			names = append(names, name)
		}
		fmt.Fprintf(p.out, "  sheets: %s\n", few(names))
	}
	for _, w := range f.GetWarnings() {
		where := ""
		if w.Line > 0 {
			where = fmt.Sprintf("line %s: ", humanize.Comma(w.Line))
		}
		fmt.Fprintf(p.out, "  %s: %s%s\n", printable(w.Code), where, printable(w.Message))
		if w.Hint != "" {
			fmt.Fprintf(p.out, "    %s\n", printable(w.Hint))
		}
	}
	for i, s := range f.GetSamples() {
		if i == 0 {
			fmt.Fprintln(p.out, "  some of it, as it was read:")
		}
		fmt.Fprintf(p.out, "    line %s, column %d: %s\n", humanize.Comma(s.Line), s.Column, cut(s.Text, mostShown))
	}
}

// ignored names the columns that no field is for, but for those that a corrected report has for people.
func ignored(columns []*ingestv1.Column) string {
	var names []string
	for _, c := range columns {
		if c.Field == "" && c.How != ofReport {
			name := c.Heading
			if name == "" {
				name = "#" + strconv.Itoa(int(c.Index))
			}
			names = append(names, cut(name, mostShown))
		}
	}
	return few(names)
}

// unknownValues says which values of criteria no code book has, and what to do.
func (p *program) unknownValues(values []*ingestv1.UnknownValue) {
	for i, v := range values {
		if i == mostNamed {
			fmt.Fprintf(p.out, "  and %s values more that are no codes\n", humanize.Comma(int64(len(values)-i)))
			break
		}
		lines := make([]string, len(v.Lines))
		for i, n := range v.Lines {
			lines[i] = humanize.Comma(n)
		}
		word := "lines"
		if len(lines) == 1 {
			word = "line"
		}
		if int64(len(lines)) < v.Rows {
			lines = append(lines, "…")
		}
		fmt.Fprintf(p.out, "  %s: %q is no code, in %s (%s %s)\n", printable(v.Field), cut(v.Value, mostShown), rows(v.Rows), word, strings.Join(lines, ", "))
	}
	if len(values) > 0 {
		v := values[0]
		fmt.Fprintf(p.out, "  say what a value means by %s, or add a code by contactmill codes set %s CODE=LABEL\n",
			quoted(fmt.Sprintf("--value %s:%s=CODE", v.Field, v.Value)), printable(v.Field))
	}
}

// quoted is a flag as a shell takes it.
func quoted(flag string) string {
	flag = printable(flag)
	if strings.ContainsAny(flag, "'\"\\$`!*?[](){}<>|&;~#") || strings.Count(flag, " ") > 1 {
		name, value, _ := strings.Cut(flag, " ")
		return name + " '" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return flag
}

// few names the first of many.
func few(names []string) string {
	if len(names) > mostNamed {
		names = append(names[:mostNamed:mostNamed], fmt.Sprintf("and %s more", humanize.Comma(int64(len(names)-mostNamed))))
	}
	return printable(strings.Join(names, ", "))
}

package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/sheet"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

func (p *program) codes() *cobra.Command {
	return group("codes", "Show and change the code books of criteria", p.codesList(), p.codesSet(), p.codesRetire(), p.codesExport())
}

func (p *program) codesList() *cobra.Command {
	return &cobra.Command{Use: "list [FIELD]", Short: "List the codes of a field, or of all; as JSON, the fields with their codes", Args: args(cobra.MaximumNArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		all, err := p.allFields(c)
		if err != nil {
			return err
		}
		if len(a) > 0 {
			f, err := fieldNamed(all, a[0])
			if err != nil {
				return err
			}
			if !coded(f) {
				return fault.New(fault.Precondition, "no-code-book", "the field %s is of the type %s and has no codes", f.Name, typeOf(f))
			}
			all = []*accountsv1.Field{f}
		}
		l := p.list("field", "code", "label", "retired")
		for _, f := range all {
			if !coded(f) {
				continue
			}
			if p.output != "table" {
				if err := l.add(f); err != nil {
					return err
				}
				continue
			}
			for _, code := range f.Codes {
				retired := ""
				if code.Retired {
					retired = "retired"
				}
				if err := l.add(f, f.Name, code.Code, code.Label, retired); err != nil {
					return err
				}
			}
		}
		return l.end()
	}}
}

func (p *program) codesSet() *cobra.Command {
	var file string
	var says said
	c := &cobra.Command{Use: "set FIELD [CODE=LABEL...]", Short: "Add codes, change labels, take retired codes into use again; other codes stay as they are",
		Long: "Add codes, change labels, take retired codes into use again; other codes stay as they are. A code without a label keeps the\n" +
			"one it has.\n\n" +
			"A file is a table, such as CSV or a workbook, with a heading row: code, and if need be label, retired (true or false) and\n" +
			"field. What codes export writes is one: of a file with field, only the codes of FIELD are taken. If anything is wrong with\n" +
			"it, the line and column are told and nothing is changed.",
		Args: args(cobra.MinimumNArgs(1))}
	c.Flags().StringVar(&file, "file", "", "take the codes from a file")
	c.Flags().StringVar(&says.delimiter, "delimiter", "", `character between cells of the file, \t for a tab; found if not given`)
	c.Flags().StringVar(&says.encoding, "encoding", "", "charset of the file as the web names it; found if not given")
	c.Flags().StringVar(&says.sheet, "sheet", "", "sheet of a workbook; needed if several have data")
	c.RunE = func(c *cobra.Command, a []string) error {
		r := &accountsv1.SetCodesRequest{Field: a[0]}
		switch fromFile := c.Flags().Changed("file"); {
		case fromFile && len(a) > 1:
			return usage{errors.New("say codes, or the file that they are in")}
		case !fromFile && len(a) == 1:
			return usage{errors.New("say CODE=LABEL, or --file and the FILE that the codes are in")}
		case fromFile:
			return p.setCodesOf(c, r, file, &says)
		}
		for _, s := range a[1:] {
			code, label, _ := strings.Cut(s, "=") // without a label it keeps the one it has
			if code == "" {
				return usage{fmt.Errorf("%q: say CODE=LABEL", s)}
			}
			r.Codes = append(r.Codes, &accountsv1.Code{Code: code, Label: label})
		}
		return p.setCodes(c, r)
	}
	return c
}

// setCodesOf sets the codes of a file.
func (p *program) setCodesOf(c *cobra.Command, r *accountsv1.SetCodesRequest, name string, says *said) error {
	if err := says.readReading(); err != nil {
		return err
	}
	d := sheet.Dialect{Encoding: says.encoding, Sheet: says.sheet}
	if says.delimiter != "" {
		d.Delimiter = says.delimiter[0]
	}
	file, err := open(name, "only a file can hold codes")
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	f, err := readCodes(file, info.Size(), name, r.Field, d)
	if err != nil {
		return err
	}
	if f.others > 0 {
		fmt.Fprintf(p.err, "codes of other fields are left out: %s\n", humanize.Comma(int64(f.others)))
	}
	r.Codes = f.codes
	if err := p.setCodes(c, r); errors.Is(err, fault.Invalid) || errors.Is(err, fault.Exists) {
		return f.placed(err)
	} else if err != nil {
		return err
	}
	return nil
}

func (p *program) codesRetire() *cobra.Command {
	return &cobra.Command{Use: "retire FIELD CODE...", Short: "Take codes from files no longer; contacts keep them", Args: args(cobra.MinimumNArgs(2)), RunE: func(c *cobra.Command, a []string) error {
		all, err := p.allFields(c)
		if err != nil {
			return err
		}
		f, err := fieldNamed(all, a[0])
		if err != nil {
			return err
		}
		r := &accountsv1.SetCodesRequest{Field: a[0]}
		for _, code := range a[1:] {
			if !slices.ContainsFunc(f.Codes, func(known *accountsv1.Code) bool { return known.Code == code }) { // else it would be added
				return fault.New(fault.NotFound, "unknown-code", "the field %s has no code %s", f.Name, code).Hint("contactmill codes list %s shows its codes", f.Name)
			}
			r.Codes = append(r.Codes, &accountsv1.Code{Code: code, Retired: true})
		}
		return p.setCodes(c, r)
	}}
}

func (p *program) setCodes(c *cobra.Command, r *accountsv1.SetCodesRequest) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	got, err := client.fields.SetCodes(c.Context(), r)
	if err != nil {
		return err
	}
	return p.field(got.Field)
}

func (p *program) codesExport() *cobra.Command {
	return &cobra.Command{Use: "export", Short: "Write the code book of all fields as CSV to standard output", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.fields.GetCodeBook(c.Context(), &accountsv1.GetCodeBookRequest{})
		if err != nil {
			return err
		}
		_, err = p.out.Write(r.Content)
		return err
	}}
}

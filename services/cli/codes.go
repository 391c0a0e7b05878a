package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
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
	return &cobra.Command{Use: "set FIELD CODE=LABEL...", Short: "Add codes, change labels, take retired codes into use again; other codes stay as they are", Args: args(cobra.MinimumNArgs(2)), RunE: func(c *cobra.Command, a []string) error {
		r := &accountsv1.SetCodesRequest{Field: a[0]}
		for _, s := range a[1:] {
			code, label, _ := strings.Cut(s, "=") // without a label it keeps the one it has
			if code == "" {
				return usage{fmt.Errorf("%q: say CODE=LABEL", s)}
			}
			r.Codes = append(r.Codes, &accountsv1.Code{Code: code, Label: label})
		}
		return p.setCodes(c, r)
	}}
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

package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

func (p *program) fields() *cobra.Command {
	return group("fields", "Show the fields of contacts; add and change the account's own", p.fieldsList(), p.fieldsAdd(), p.fieldsSet(), p.fieldsDelete())
}

func (p *program) fieldsList() *cobra.Command {
	var own bool
	c := &cobra.Command{Use: "list", Short: "List the standard fields and the account's own", Args: args(cobra.NoArgs)}
	c.Flags().BoolVar(&own, "own", false, "only the account's own")
	c.RunE = func(c *cobra.Command, _ []string) error {
		all, err := p.allFields(c)
		if err != nil {
			return err
		}
		l := p.list("name", "label", "type", "rules", "codes", "headings")
		for _, f := range all {
			if own && f.Standard {
				continue
			}
			codes := ""
			if coded(f) {
				codes = humanize.Comma(int64(len(f.Codes)))
			}
			if err := l.add(f, f.Name, f.Label, typeOf(f), strings.Join(rulesOf(f), ", "), codes, shortened(strings.Join(f.Headings, ", "), listName)); err != nil {
				return err
			}
		}
		return l.end()
	}
	return c
}

func (p *program) allFields(c *cobra.Command) ([]*accountsv1.Field, error) {
	client, err := p.client()
	if err != nil {
		return nil, err
	}
	r, err := client.fields.ListFields(c.Context(), &accountsv1.ListFieldsRequest{})
	return r.GetFields(), err
}

func (p *program) fieldsAdd() *cobra.Command {
	f := &accountsv1.Field{}
	var kind string
	c := &cobra.Command{Use: "add NAME", Short: "Add a field of the account's own, e.g. shoe_size", Args: args(cobra.ExactArgs(1))}
	c.Flags().StringVar(&f.Label, "label", "", "for people, and the heading of the template; made from the name if not given")
	c.Flags().StringVar(&kind, "type", "text", "text, number, date, boolean, criterion (one code), criteria (several), authorisation or secret")
	c.Flags().BoolVar(&f.Required, "required", false, "a row without a value is INVALID")
	c.Flags().BoolVar(&f.Unique, "unique", false, "one contact at most has a value, and rows are recognised by it; text, number or date")
	c.Flags().Int32Var(&f.MaxLength, "max-length", 0, "most characters of a text; 1000 if not given")
	c.Flags().StringArrayVar(&f.Headings, "heading", nil, "another heading that files have for it")
	c.RunE = func(c *cobra.Command, names []string) error {
		v, ok := accountsv1.FieldType_value["FIELD_TYPE_"+word(kind)]
		if !ok || v == 0 || v == int32(accountsv1.FieldType_FIELD_TYPE_STANDARD) {
			return usage{fmt.Errorf("--type %q: say text, number, date, boolean, criterion, criteria, authorisation or secret", kind)}
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		f.Name, f.Type = names[0], accountsv1.FieldType(v)
		r, err := client.fields.CreateField(c.Context(), &accountsv1.CreateFieldRequest{Field: f})
		if err != nil {
			return err
		}
		return p.field(r.Field)
	}
	return c
}

func (p *program) fieldsSet() *cobra.Command {
	var label string
	var required bool
	var length int32
	r := &accountsv1.UpdateFieldRequest{}
	c := &cobra.Command{Use: "set NAME", Short: "Change what is given of an own field; name, type and unique stay", Args: args(cobra.ExactArgs(1))}
	f := c.Flags()
	f.StringVar(&label, "label", "", "for people, and the heading of the template")
	f.BoolVar(&required, "required", false, "a row without a value is INVALID; --required=false takes it back")
	f.Int32Var(&length, "max-length", 0, "most characters of a text")
	f.StringArrayVar(&r.Headings, "heading", nil, `another heading that files have for it; replaces all, "" for none`)
	c.RunE = func(c *cobra.Command, names []string) error {
		r.Name = names[0]
		if f.Changed("label") {
			r.Label = &label
		}
		if f.Changed("required") {
			r.Required = &required
		}
		if f.Changed("max-length") {
			r.MaxLength = &length
		}
		if r.SetHeadings = f.Changed("heading"); len(r.Headings) == 1 && r.Headings[0] == "" {
			r.Headings = nil
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		got, err := client.fields.UpdateField(c.Context(), r)
		if err != nil {
			return err
		}
		return p.field(got.Field)
	}
	return c
}

func (p *program) fieldsDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME", Short: "Take an own field out of use: no file fills it, its values are no longer shown", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.fields.DeleteField(c.Context(), &accountsv1.DeleteFieldRequest{Name: a[0]})
		if err != nil {
			return err
		}
		return p.one(r, func() { fmt.Fprintf(p.out, "field %s is taken out of use\n", printable(a[0])) })
	}}
}

// field shows a field.
func (p *program) field(f *accountsv1.Field) error {
	return p.one(f, func() {
		fmt.Fprintf(p.out, "field %s  %s\n  type        %s\n", printable(f.Name), printable(f.Label), strings.Join(append([]string{typeOf(f)}, rulesOf(f)...), ", "))
		if len(f.Headings) > 0 {
			fmt.Fprintf(p.out, "  headings    %s\n", printable(strings.Join(f.Headings, ", ")))
		}
		if coded(f) {
			fmt.Fprintf(p.out, "  codes       %s\n", codesOf(f))
		}
	})
}

// typeOf is a field's type in the words of --type.
func typeOf(f *accountsv1.Field) string {
	return strings.ToLower(strings.TrimPrefix(f.Type.String(), "FIELD_TYPE_"))
}

// rulesOf is what else is asked of a field's values.
func rulesOf(f *accountsv1.Field) []string {
	var rules []string
	if f.Required {
		rules = append(rules, "required")
	}
	if f.Unique {
		rules = append(rules, "unique")
	}
	if f.MaxLength > 0 && !f.Standard {
		rules = append(rules, "at most "+strconv.Itoa(int(f.MaxLength))+" characters")
	}
	return rules
}

func coded(f *accountsv1.Field) bool {
	return f.Type == accountsv1.FieldType_FIELD_TYPE_CRITERION || f.Type == accountsv1.FieldType_FIELD_TYPE_CRITERIA
}

// codesOf is how many codes a field has, in words.
func codesOf(f *accountsv1.Field) string {
	retired := 0
	for _, c := range f.Codes {
		if c.Retired {
			retired++
		}
	}
	text := humanize.Comma(int64(len(f.Codes)))
	if retired > 0 {
		text += ", " + humanize.Comma(int64(retired)) + " of them retired"
	}
	return text
}

// fieldNamed finds a field among all.
func fieldNamed(all []*accountsv1.Field, name string) (*accountsv1.Field, error) {
	for _, f := range all {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, fault.New(fault.NotFound, "unknown-field", "there is no field %s", name).Hint("contactmill fields list shows all fields")
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

// editPatience is how long a hand edit waits for a job that is being applied.
const editPatience = 2 * time.Minute

func (p *program) contacts() *cobra.Command {
	return group("contacts", "List, add and change contacts; tell where their values come from", p.contactsList(), p.contactsGet(), p.contactsHistory(), p.contactsAdd(), p.contactsSet())
}

func (p *program) contactsList() *cobra.Command {
	var count, all bool
	f := &contactsv1.Filter{}
	c := &cobra.Command{Use: "list", Short: "List contacts in the order they were made: the first 100, or --all", Args: args(cobra.NoArgs)}
	c.Flags().BoolVar(&count, "count", false, "only count them")
	c.Flags().BoolVar(&all, "all", false, "all of them")
	c.Flags().StringVar(&f.List, "list", "", "on this list")
	c.Flags().StringVar(&f.ExternalId, "external-id", "", "with this external id")
	c.Flags().StringVar(&f.Email, "email", "", "with this email")
	c.Flags().StringVar(&f.Phone, "phone", "", "with this phone")
	c.Flags().StringVar(&f.JobId, "job", "", "made by this job, by its id")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if count && all {
			return usage{errors.New("--count and --all: say one of them")}
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		if count {
			r, err := client.contacts.CountContacts(c.Context(), &contactsv1.CountContactsRequest{Filter: f})
			if err != nil {
				return err
			}
			return p.one(r, func() { fmt.Fprintln(p.out, r.Count) })
		}
		l := p.list("id", "first name", "last name", "email", "phone", "external id", "lists")
		r := &contactsv1.ListContactsRequest{Filter: f, PageSize: 100}
		if all {
			r.PageSize = 1000
		}
		for {
			page, err := client.contacts.ListContacts(c.Context(), r)
			if err != nil {
				return err
			}
			for _, one := range page.Contacts {
				v := one.Values
				if err := l.add(one, one.Id, v["first_name"], v["last_name"], v["email"], v["phone"], v["external_id"], strings.Join(one.Lists, ", ")); err != nil {
					return err
				}
			}
			if r.PageToken = page.NextPageToken; r.PageToken == "" {
				break
			}
			if !all {
				if err := l.end(); err != nil {
					return err
				}
				fmt.Fprintln(p.err, "there are more: --all lists them, --count counts them")
				return nil
			}
		}
		return l.end()
	}
	return c
}

func (p *program) contactsGet() *cobra.Command {
	return &cobra.Command{Use: "get ID", Short: "Show a contact", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.contacts.GetContact(c.Context(), &contactsv1.GetContactRequest{Id: a[0]})
		if err != nil {
			return err
		}
		return p.contact(r.Contact)
	}}
}

func (p *program) contactsAdd() *cobra.Command {
	var lists []string
	c := &cobra.Command{Use: "add FIELD=VALUE...", Short: "Add a contact, e.g. first_name=Ada email=ada@example.org", Args: args(cobra.MinimumNArgs(1))}
	c.Flags().StringArrayVar(&lists, "list", nil, "list to put it on; made if missing")
	c.RunE = func(c *cobra.Command, a []string) error {
		values, err := fieldValues(a)
		if err != nil {
			return err
		}
		return p.edit(c.Context(), func(ctx context.Context, client *client) (*contactsv1.Contact, error) {
			r, err := client.contacts.AddContact(ctx, &contactsv1.AddContactRequest{Values: values, Lists: lists})
			return r.GetContact(), err
		})
	}
	return c
}

func (p *program) contactsSet() *cobra.Command {
	return &cobra.Command{Use: "set ID FIELD=VALUE...", Short: "Change a contact; the value UNSET clears a field", Args: args(cobra.MinimumNArgs(2)), RunE: func(c *cobra.Command, a []string) error {
		values, err := fieldValues(a[1:])
		if err != nil {
			return err
		}
		return p.edit(c.Context(), func(ctx context.Context, client *client) (*contactsv1.Contact, error) {
			r, err := client.contacts.SetContact(ctx, &contactsv1.SetContactRequest{Id: a[0], Values: values})
			return r.GetContact(), err
		})
	}}
}

// edit makes a hand edit and shows the contact. While a job is being applied it is tried again.
func (p *program) edit(ctx context.Context, do func(context.Context, *client) (*contactsv1.Contact, error)) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	for since := time.Now(); ; {
		c, err := do(ctx, client)
		if err == nil {
			return p.contact(c)
		}
		if !errors.Is(err, fault.Aborted) || time.Since(since) > editPatience {
			return err
		}
		fmt.Fprintf(p.err, "waiting: %v\n", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (p *program) contact(c *contactsv1.Contact) error {
	return p.one(c, func() {
		width := 16 // of the longest name among the standard fields and facts
		for f := range c.Values {
			width = max(width, len(f))
		}
		line := func(name, value string) { fmt.Fprintf(p.out, "%-*s %s\n", width, printable(name), printable(value)) }
		line("id", c.Id)
		for _, f := range slices.Sorted(maps.Keys(c.Values)) {
			line(f, c.Values[f])
		}
		for _, f := range c.Facts {
			line(f.Name, f.Value+" ("+f.About+")")
		}
		if len(c.Lists) > 0 {
			line("lists", strings.Join(c.Lists, ", "))
		}
	})
}

func fieldValues(pairs []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range pairs {
		f, v, ok := strings.Cut(s, "=")
		if !ok || f == "" {
			return nil, usage{fmt.Errorf("%q: say FIELD=VALUE", s)}
		}
		m[f] = v
	}
	return m, nil
}

func (p *program) lists() *cobra.Command {
	show := &cobra.Command{Use: "list", Short: "List the lists", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.lists.ListLists(c.Context(), &contactsv1.ListListsRequest{})
		if err != nil {
			return err
		}
		l := p.list("name", "contacts", "id")
		for _, one := range r.Lists {
			if err := l.add(one, one.Name, humanize.Comma(one.Contacts), one.Id); err != nil {
				return err
			}
		}
		return l.end()
	}}
	create := &cobra.Command{Use: "create NAME", Short: "Make an empty list", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.lists.CreateList(c.Context(), &contactsv1.CreateListRequest{Name: a[0]})
		if err != nil {
			return err
		}
		return p.one(r.List, func() { fmt.Fprintf(p.out, "list %s  %s\n", printable(r.List.Name), r.List.Id) })
	}}
	return group("lists", "Show and make lists", show, create)
}

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

func (p *program) template() *cobra.Command {
	var format string
	c := &cobra.Command{Use: "template", Short: "Write the import template with the account's fields to standard output", Args: args(cobra.NoArgs)}
	c.Flags().StringVar(&format, "format", "csv", "csv or xlsx")
	c.RunE = func(c *cobra.Command, _ []string) error {
		v, ok := accountsv1.TemplateFormat_value["TEMPLATE_FORMAT_"+strings.ToUpper(format)]
		if !ok || v == 0 {
			return usage{fmt.Errorf("--format %q: say csv or xlsx", format)}
		}
		if v == int32(accountsv1.TemplateFormat_TEMPLATE_FORMAT_XLSX) && isTerminal(p.out) {
			return usage{errors.New("a workbook is nothing for a terminal: contactmill template --format xlsx > template.xlsx")}
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.accounts.GetTemplate(c.Context(), &accountsv1.GetTemplateRequest{Format: accountsv1.TemplateFormat(v)})
		if err != nil {
			return err
		}
		_, err = p.out.Write(r.Content)
		return err
	}
	return c
}

func (p *program) accounts() *cobra.Command {
	return group("accounts", "Manage accounts (operators); show and set the own one (admins)", p.accountsList(), p.accountsGet(), p.accountsCreate(), p.accountsSet())
}

func (p *program) accountsList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List all accounts", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.accounts.ListAccounts(c.Context(), &accountsv1.ListAccountsRequest{})
		if err != nil {
			return err
		}
		l := p.list("name", "country", "package", "recipients", "id")
		for _, a := range r.Accounts {
			if err := l.add(a, a.Name, a.Country, humanize.Comma(a.Package), strings.Join(a.Recipients, ", "), a.Id); err != nil {
				return err
			}
		}
		return l.end()
	}}
}

func (p *program) accountsGet() *cobra.Command {
	return &cobra.Command{Use: "get [ACCOUNT]", Short: "Show an account by name or id; the own one if not named", Args: args(cobra.MaximumNArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.accounts.GetAccount(c.Context(), &accountsv1.GetAccountRequest{Account: strings.Join(a, "")})
		if err != nil {
			return err
		}
		return p.account(r.Account)
	}}
}

func (p *program) accountsCreate() *cobra.Command {
	a := &accountsv1.Account{}
	c := &cobra.Command{Use: "create NAME", Short: "Make an account", Args: args(cobra.ExactArgs(1))}
	c.Flags().StringVar(&a.Country, "country", "US", "country that phones without one are read in, e.g. DE")
	c.Flags().Int64Var(&a.Package, "package", 0, "how many contacts it may hold")
	c.Flags().StringSliceVar(&a.Recipients, "recipient", nil, "who is told of ended jobs")
	c.RunE = func(c *cobra.Command, names []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		a.Name = names[0]
		r, err := client.accounts.CreateAccount(c.Context(), &accountsv1.CreateAccountRequest{Account: a})
		if err != nil {
			return err
		}
		return p.account(r.Account)
	}
	return c
}

func (p *program) accountsSet() *cobra.Command {
	var country, legacy string
	var size int64
	var raw, results, known int32
	var ruled ruled
	r := &accountsv1.UpdateAccountRequest{}
	c := &cobra.Command{Use: "set [ACCOUNT]", Short: "Change what is given of an account", Args: args(cobra.MaximumNArgs(1))}
	f := c.Flags()
	f.StringVar(&country, "country", "", "country that phones without one are read in")
	f.Int64Var(&size, "package", 0, "how many contacts it may hold (operators)")
	f.StringSliceVar(&r.Recipients, "recipient", nil, "who is told of ended jobs; replaces all")
	f.Int32Var(&raw, "raw-days", 0, "days that raw uploads are kept")
	f.Int32Var(&results, "result-days", 0, "days that reports are kept")
	f.StringVar(&legacy, "legacy-encoding", "", "charset of text files that are neither UTF-8 nor UTF-16, e.g. iso-8859-2; \"\" for windows-1252")
	f.Int32Var(&known, "provider-days", 0, "days that the answers of a provider are used again; 0 is the default, 90")
	ruled.add(f, "; FIELD= takes its rule away", "all of them")
	c.RunE = func(c *cobra.Command, names []string) error {
		var err error
		if r.Policies, err = ruled.read(true); err != nil {
			return err
		}
		if r.BadCell, err = ruled.badCell(); err != nil {
			return err
		}
		if r.UnknownToProvider, err = ruled.unknownToProvider(); err != nil {
			return err
		}
		if r.ProviderDown, err = ruled.providerDown(); err != nil {
			return err
		}
		r.SetKeys = ruled.keysGiven()
		r.Account = strings.Join(names, "")
		r.SetRecipients = f.Changed("recipient")
		set := map[string]func(){
			"country": func() { r.Country = &country }, "package": func() { r.Package = &size },
			"raw-days": func() { r.RawDays = &raw }, "result-days": func() { r.ResultDays = &results },
			"legacy-encoding": func() { r.LegacyEncoding = &legacy }, "provider-days": func() { r.ProviderDays = &known },
		}
		for name, do := range set {
			if f.Changed(name) {
				do()
			}
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		got, err := client.accounts.UpdateAccount(c.Context(), r)
		if err != nil {
			return err
		}
		return p.account(got.Account)
	}
	return c
}

// providerInWords is how an account deals with its provider.
func providerInWords(a *accountsv1.Account) string {
	down := "jobs wait while it is down"
	if a.ProviderDown == accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE {
		down = "jobs complete while it is down, and are enriched later"
	}
	return fmt.Sprintf("%s; answers used again for %d days", down, a.ProviderDays)
}

// word spells an enum value as the contract does.
func word(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "-", "_")) }

func (p *program) account(a *accountsv1.Account) error {
	return p.one(a, func() {
		fmt.Fprintf(p.out, "account %s  %s\n  country     %s\n  package     %s\n  recipients  %s\n  files kept  raw %d days, results %d days\n  charset     %s\n  bad cell    %s\n  unknown     %s\n  provider    %s\n  rules       %s\n  hand-made   %s\n  match by    %s\n",
			printable(a.Name), a.Id, printable(a.Country), humanize.Comma(a.Package), printable(strings.Join(a.Recipients, ", ")), a.RawDays, a.ResultDays,
			printable(cmp.Or(a.LegacyEncoding, "windows-1252"))+" where a text file is neither UTF-8 nor UTF-16",
			valueWord(a.BadCell, "BAD_CELL_"), valueWord(a.UnknownToProvider, "UNKNOWN_TO_PROVIDER_")+" (who is not known to the provider)", providerInWords(a),
			printable(rulesInWords(a.Policies)), handInWords(a.Policies), printable(keysInWords(a.Policies)))
	})
}

func (p *program) keys() *cobra.Command {
	var account, role, name, email string
	create := &cobra.Command{Use: "create", Short: "Make an API key; its secret is shown this once", Args: args(cobra.NoArgs)}
	create.Flags().StringVar(&account, "account", "", "account by name or id; the own one if not given")
	create.Flags().StringVar(&role, "role", "submitter", "submitter, admin or operator")
	create.Flags().StringVar(&name, "name", "", "a name for people")
	create.Flags().StringVar(&email, "email", "", "where its holder gets mail")
	create.RunE = func(c *cobra.Command, _ []string) error {
		v, ok := accountsv1.Role_value["ROLE_"+strings.ToUpper(role)]
		if !ok || v == 0 {
			return usage{fmt.Errorf("--role %s: say submitter, admin or operator", role)}
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.accounts.CreateKey(c.Context(), &accountsv1.CreateKeyRequest{Account: account, Role: accountsv1.Role(v), Name: name, Email: email})
		if err != nil {
			return err
		}
		return p.one(r, func() { fmt.Fprintf(p.out, "key %s\n%s\n", r.Key.Id, r.Secret) })
	}
	show := &cobra.Command{Use: "list", Short: "List an account's keys", Args: args(cobra.NoArgs)}
	show.Flags().StringVar(&account, "account", "", "account by name or id; the own one if not given")
	show.RunE = func(c *cobra.Command, _ []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.accounts.ListKeys(c.Context(), &accountsv1.ListKeysRequest{Account: account})
		if err != nil {
			return err
		}
		l := p.list("id", "role", "name", "created", "revoked")
		for _, k := range r.Keys {
			revoked := ""
			if k.RevokedAt != nil {
				revoked = k.RevokedAt.AsTime().Local().Format(time.DateTime)
			}
			if err := l.add(k, k.Id, strings.ToLower(strings.TrimPrefix(k.Role.String(), "ROLE_")), k.Name, k.CreatedAt.AsTime().Local().Format(time.DateTime), revoked); err != nil {
				return err
			}
		}
		return l.end()
	}
	revoke := &cobra.Command{Use: "revoke ID", Short: "End a key, everywhere within 30 seconds", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, a []string) error {
		client, err := p.client()
		if err != nil {
			return err
		}
		r, err := client.accounts.RevokeKey(c.Context(), &accountsv1.RevokeKeyRequest{KeyId: a[0]})
		if err != nil {
			return err
		}
		return p.one(r.Key, func() { fmt.Fprintf(p.out, "key %s is ended\n", r.Key.Id) })
	}}
	return group("keys", "Manage API keys", create, show, revoke)
}

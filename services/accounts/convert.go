package accounts

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/encoding/htmlindex"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	defaultRawDays    = 7
	defaultResultDays = 30
	mostDays          = 3650
	mostRecipients    = 50  // a mail each for every ended job
	mostNameRunes     = 100 // of a key's name
)

var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// toAccount reads a new account and fills in what was left away.
func toAccount(p *accountsv1.Account) (account, error) {
	a := account{
		Name: p.GetName(), Package: p.GetPackage(), RawDays: p.GetRawDays(), ResultDays: p.GetResultDays(),
		Recipients: []string{}, BadCell: rejectRow, Unknown: add,
	}
	if a.RawDays == 0 {
		a.RawDays = defaultRawDays
	}
	if a.ResultDays == 0 {
		a.ResultDays = defaultResultDays
	}
	if _, err := uuid.Parse(a.Name); err == nil || !accountName.MatchString(a.Name) {
		return a, fault.New(fault.Invalid, "bad-account-name", "an account's name is 1 to 63 of a-z, 0-9 and -, does not begin with - and is no UUID")
	}
	c := &accountsv1.UpdateAccountRequest{
		Country: &p.Country, Package: &a.Package, Recipients: p.GetRecipients(), SetRecipients: true,
		RawDays: &a.RawDays, ResultDays: &a.ResultDays, BadCell: &p.BadCell, UnknownToProvider: &p.UnknownToProvider,
		LegacyEncoding: &p.LegacyEncoding, Policies: p.GetPolicies(), SetKeys: true,
		ProviderDown: &p.ProviderDown, ProviderDays: &p.ProviderDays,
	}
	set, err := toChange(c)
	if err != nil {
		return a, err
	}
	a.Country, a.Recipients, a.BadCell, a.Unknown, a.Legacy = *set.Country, set.Recipients, *set.BadCell, *set.Unknown, *set.Legacy
	a.Down, a.Known = *set.Down, *set.Known
	a.Policies, err = policies{Rules: map[string]rule{}, HandMade: newValues}.with(set.Policies, nil)
	return a, err
}

// toChange reads what is to be changed.
func toChange(p *accountsv1.UpdateAccountRequest) (change, error) {
	c := change{Package: p.Package, RawDays: p.RawDays, ResultDays: p.ResultDays}
	if p.Country != nil {
		country, err := toCountry(p.GetCountry())
		if err != nil {
			return c, err
		}
		c.Country = &country
	}
	if p.Package != nil && *p.Package < 0 {
		return c, fault.New(fault.Invalid, "bad-package", "a package is 0 contacts or more, not %d", *p.Package)
	}
	for _, days := range []*int32{p.RawDays, p.ResultDays} {
		if days != nil && (*days < 1 || *days > mostDays) {
			return c, fault.New(fault.Invalid, "bad-days", "files are kept for 1 to %d days, not %d", mostDays, *days)
		}
	}
	if p.GetSetRecipients() {
		recipients, err := toRecipients(p.GetRecipients())
		if err != nil {
			return c, err
		}
		c.Recipients = recipients
	} else if len(p.GetRecipients()) > 0 {
		return c, fault.New(fault.Invalid, "recipients-not-set", "recipients are given, but set_recipients is not")
	}
	if p.BadCell != nil {
		policy, ok := map[accountsv1.BadCell]badCell{
			accountsv1.BadCell_BAD_CELL_UNSPECIFIED: rejectRow,
			accountsv1.BadCell_BAD_CELL_REJECT_ROW:  rejectRow,
			accountsv1.BadCell_BAD_CELL_DROP_CELL:   dropCell,
		}[*p.BadCell]
		if !ok {
			return c, fault.New(fault.Invalid, "bad-policy", "there is no policy %d for bad cells", *p.BadCell)
		}
		c.BadCell = &policy
	}
	if p.UnknownToProvider != nil {
		policy, ok := map[accountsv1.UnknownToProvider]unknown{
			accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_UNSPECIFIED: add,
			accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD:         add,
			accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT:    keepOut,
		}[*p.UnknownToProvider]
		if !ok {
			return c, fault.New(fault.Invalid, "bad-policy", "there is no policy %d for contacts unknown to the provider", *p.UnknownToProvider)
		}
		c.Unknown = &policy
	}
	if p.LegacyEncoding != nil {
		name, err := toLegacy(p.GetLegacyEncoding())
		if err != nil {
			return c, err
		}
		c.Legacy = &name
	}
	if err := c.setProvider(p); err != nil {
		return c, err
	}
	var err error
	c.Policies, err = toPolicyChange(p.GetPolicies(), p.GetSetKeys())
	return c, err
}

// toLegacy takes a charset by any of the names that the web has for it, and returns the one it is kept by. Empty means
// the default.
func toLegacy(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return "", fault.New(fault.Invalid, "bad-encoding", "there is no charset %.60q", name).
			Hint("name it as the web does, e.g. windows-1252, iso-8859-2, koi8-r, shift_jis, gb18030, big5")
	}
	known, err := htmlindex.Name(e)
	switch {
	case err != nil || known == "replacement" || known == "x-user-defined":
		return "", fault.New(fault.Invalid, "bad-encoding", "%s is no charset that a file can be read by", name)
	case known == "utf-8" || strings.HasPrefix(known, "utf-16"):
		return "", fault.New(fault.Invalid, "bad-encoding", "%s is found without being told", known).
			Hint("name the charset of the files that are neither UTF-8 nor UTF-16")
	}
	return known, nil
}

// toCountry takes an ISO 3166 alpha-2 code in upper case.
func toCountry(code string) (string, error) {
	if contact.CountryByCode(code).String() != code || code == "" {
		return "", fault.New(fault.Invalid, "bad-country", "a country is an ISO 3166 code of two capital letters, e.g. US")
	}
	return code, nil
}

// toRecipients takes each address once. No text of a fault holds one.
func toRecipients(in []string) ([]string, error) {
	if len(in) > mostRecipients {
		return nil, fault.New(fault.Invalid, "too-many-recipients", "an account has at most %d recipients, not %d", mostRecipients, len(in))
	}
	out, seen := make([]string, 0, len(in)), map[string]bool{}
	for i, address := range in {
		address, err := toEmail(address)
		if err != nil {
			return nil, fault.New(fault.Invalid, "bad-recipient", "recipient %d is no email address", i+1)
		}
		if !seen[address] {
			seen[address] = true
			out = append(out, address)
		}
	}
	return out, nil
}

// toEmail takes one bare address and returns its normal form.
func toEmail(address string) (string, error) {
	normal, code := contact.AppendEmail(nil, []byte(address))
	if code.Failed() {
		return "", fault.New(fault.Invalid, string(code), "this is no email address")
	}
	return string(normal), nil
}

// toKey reads a new key, all but whose it is.
func toKey(p *accountsv1.CreateKeyRequest) (apiKey, error) {
	k := apiKey{Name: strings.TrimSpace(p.GetName())}
	switch p.GetRole() {
	case accountsv1.Role_ROLE_SUBMITTER:
		k.Role = rpc.Submitter
	case accountsv1.Role_ROLE_ADMIN:
		k.Role = rpc.Admin
	case accountsv1.Role_ROLE_OPERATOR:
		k.Role = rpc.Operator
	default:
		return k, fault.New(fault.Invalid, "bad-role", "a key's role is submitter, admin or operator")
	}
	if utf8.RuneCountInString(k.Name) > mostNameRunes || strings.ContainsFunc(k.Name, unicode.IsControl) {
		return k, fault.New(fault.Invalid, "bad-key-name", "a key's name is one line of at most %d characters", mostNameRunes)
	}
	if p.GetEmail() != "" {
		address, err := toEmail(p.GetEmail())
		if err != nil {
			return k, err
		}
		k.Email = address
	}
	return k, nil
}

// toRole reads a role as it is stored: by its name.
func toRole(stored string) (rpc.Role, error) {
	for _, r := range []rpc.Role{rpc.Submitter, rpc.Admin, rpc.Operator} {
		if r.String() == stored {
			return r, nil
		}
	}
	return 0, fmt.Errorf("role %q is stored but not known", stored)
}

func fromRole(r rpc.Role) accountsv1.Role {
	switch r {
	case rpc.Submitter:
		return accountsv1.Role_ROLE_SUBMITTER
	case rpc.Admin:
		return accountsv1.Role_ROLE_ADMIN
	case rpc.Operator:
		return accountsv1.Role_ROLE_OPERATOR
	}
	return accountsv1.Role_ROLE_UNSPECIFIED
}

func fromAccount(a account) *accountsv1.Account {
	p := &accountsv1.Account{
		Id: a.ID.String(), Name: a.Name, Country: a.Country, Package: a.Package, Recipients: a.Recipients,
		Policies: fromPolicies(a.Policies), RawDays: a.RawDays, ResultDays: a.ResultDays, LegacyEncoding: a.Legacy, CreatedAt: timestamppb.New(a.CreatedAt),
		BadCell:           accountsv1.BadCell_BAD_CELL_REJECT_ROW,
		UnknownToProvider: accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD,
		ProviderDown:      fromDown(a.Down),
		ProviderDays:      a.Known,
	}
	if a.BadCell == dropCell {
		p.BadCell = accountsv1.BadCell_BAD_CELL_DROP_CELL
	}
	if a.Unknown == keepOut {
		p.UnknownToProvider = accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT
	}
	return p
}

func fromKey(k apiKey) *accountsv1.Key {
	p := &accountsv1.Key{Id: k.ID.String(), Role: fromRole(k.Role), Name: k.Name, Email: k.Email, CreatedAt: timestamppb.New(k.CreatedAt)}
	if k.AccountID != operators {
		p.AccountId = k.AccountID.String()
	}
	if k.RevokedAt != nil {
		p.RevokedAt = timestamppb.New(*k.RevokedAt)
	}
	return p
}

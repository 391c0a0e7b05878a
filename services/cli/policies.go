package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/timestamppb"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// fallbackKey is the key that is no field: several together recognise a contact.
const fallbackKey = "name_birth_zip"

// others stands in rules for every field that is not named.
const others = "*"

// ruled is what flags say of how files change contacts. Import and the settings of an account take the same.
type ruled struct {
	rules    []string
	handMade string
	keys     []string
	bad      string
	unknown  string
	down     string
	flags    *pflag.FlagSet
}

// add adds the flags; every says what else an empty value means.
func (r *ruled) add(f *pflag.FlagSet, ruleEmpty, keysEmpty string) {
	r.flags = f
	f.StringArrayVar(&r.rules, "rule", nil, "FIELD=RULE, when a file may change a known contact's field: always, if-empty, never or newest;\nFIELD * is all that are not named, e.g. --rule phone=if-empty --rule '*'=newest"+ruleEmpty)
	f.StringVar(&r.handMade, "hand-made", "", "what a file may do to values that a person gave: new-values (put a really new value in their place),\nkeep (nothing) or replace")
	f.StringSliceVar(&r.keys, "match-by", nil, "keys that rows are matched by, e.g. external_id,email; --match-by= is "+keysEmpty)
	f.StringVar(&r.bad, "bad-cell", "", "what becomes of a cell that its field refuses: reject-row (the row is INVALID)\nor drop-cell (the row is taken without it)")
	f.StringVar(&r.unknown, "unknown-to-provider", "", "what becomes of a new contact that the provider of enrichment does not know: add\nor keep-out (the row is UNMATCHED)")
	f.StringVar(&r.down, "provider-down", "", "what a job does whose provider does not answer: wait, or complete\n(new contacts are enriched later, by themselves)")
}

// keysGiven tells whether keys are said, be it that there are none.
func (r *ruled) keysGiven() bool { return r.flags.Changed("match-by") }

// read takes what the flags say; nil if nothing is said. Its errors are of usage. A rule that is left empty is
// unspecified, if that may be.
func (r *ruled) read(mayBeEmpty bool) (*accountsv1.Policies, error) {
	p := &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{}, Keys: r.keys}
	for _, s := range r.rules {
		field, name, found := strings.Cut(s, "=")
		if !found || field == "" {
			return nil, usage{fmt.Errorf("--rule %q: say FIELD=RULE", s)}
		}
		v, ok := accountsv1.FieldRule_value["FIELD_RULE_"+word(name)]
		if takesAway := name == "" && mayBeEmpty; !takesAway && (!ok || v == 0) {
			return nil, usage{fmt.Errorf("--rule %q: say always, if-empty, never or newest", s)}
		}
		if old, twice := p.Rules[field]; twice && old != accountsv1.FieldRule(v) {
			return nil, usage{fmt.Errorf("--rule %q: %s has another rule already", s, field)}
		}
		p.Rules[field] = accountsv1.FieldRule(v)
	}
	if r.flags.Changed("hand-made") {
		v, ok := accountsv1.HandMade_value["HAND_MADE_"+word(r.handMade)]
		if !ok || v == 0 {
			return nil, usage{fmt.Errorf("--hand-made %q: say new-values, keep or replace", r.handMade)}
		}
		p.HandMade = accountsv1.HandMade(v)
	}
	if len(r.rules) == 0 && !r.flags.Changed("hand-made") && !r.keysGiven() {
		return nil, nil
	}
	return p, nil
}

// badCell is nil if nothing is said. Its errors are of usage.
func (r *ruled) badCell() (*accountsv1.BadCell, error) {
	if !r.flags.Changed("bad-cell") {
		return nil, nil
	}
	v, ok := accountsv1.BadCell_value["BAD_CELL_"+word(r.bad)]
	if !ok || v == 0 {
		return nil, usage{fmt.Errorf("--bad-cell %q: say reject-row or drop-cell", r.bad)}
	}
	return accountsv1.BadCell(v).Enum(), nil
}

// unknownToProvider is nil if nothing is said. Its errors are of usage.
func (r *ruled) unknownToProvider() (*accountsv1.UnknownToProvider, error) {
	if !r.flags.Changed("unknown-to-provider") {
		return nil, nil
	}
	v, ok := accountsv1.UnknownToProvider_value["UNKNOWN_TO_PROVIDER_"+word(r.unknown)]
	if !ok || v == 0 {
		return nil, usage{fmt.Errorf("--unknown-to-provider %q: say add or keep-out", r.unknown)}
	}
	return accountsv1.UnknownToProvider(v).Enum(), nil
}

// providerDown is nil if nothing is said. Its errors are of usage.
func (r *ruled) providerDown() (*accountsv1.ProviderDown, error) {
	if !r.flags.Changed("provider-down") {
		return nil, nil
	}
	v, ok := accountsv1.ProviderDown_value["PROVIDER_DOWN_"+word(r.down)]
	if !ok || v == 0 {
		return nil, usage{fmt.Errorf("--provider-down %q: say wait or complete", r.down)}
	}
	return accountsv1.ProviderDown(v).Enum(), nil
}

// settings puts what is said into the settings of an import. Its errors are of usage.
func (r *ruled) settings(to *ingestv1.ImportSettings) error {
	var err error
	if to.Policies, err = r.read(false); err != nil {
		return err
	}
	bad, err := r.badCell()
	if err != nil {
		return err
	}
	unknown, err := r.unknownToProvider()
	if err != nil {
		return err
	}
	if bad != nil {
		to.BadCell = *bad
	}
	if unknown != nil {
		to.UnknownToProvider = *unknown
	}
	down, err := r.providerDown()
	if err != nil {
		return err
	}
	if down != nil {
		to.ProviderDown = *down
	}
	return nil
}

// rulesInWords is the rules of fields as they are said by --rule, with what holds for the rest.
func rulesInWords(p *accountsv1.Policies) string {
	rest := p.GetRules()[others]
	if rest == accountsv1.FieldRule_FIELD_RULE_UNSPECIFIED {
		rest = accountsv1.FieldRule_FIELD_RULE_ALWAYS
	}
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(p.GetRules())) {
		if field != others {
			parts = append(parts, field+" "+valueWord(p.Rules[field], "FIELD_RULE_"))
		}
	}
	if len(parts) == 0 {
		return valueWord(rest, "FIELD_RULE_")
	}
	return strings.Join(append(parts, "all others "+valueWord(rest, "FIELD_RULE_")), ", ")
}

// allKeys are the keys of the account, its own among them.
func (p *program) allKeys(c *cobra.Command) ([]string, error) {
	all, err := p.allFields(c)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, f := range all {
		if f.Unique {
			keys = append(keys, f.Name)
		}
	}
	return append(keys, fallbackKey), nil
}

// keysInWords is what rows are matched by.
func keysInWords(p *accountsv1.Policies) string {
	if len(p.GetKeys()) == 0 {
		return "all keys"
	}
	return strings.Join(p.Keys, ", ")
}

// handInWords is what a file may do to values that a person gave.
func handInWords(p *accountsv1.Policies) string {
	h := p.GetHandMade()
	if h == accountsv1.HandMade_HAND_MADE_UNSPECIFIED {
		h = accountsv1.HandMade_HAND_MADE_NEW_VALUES
	}
	return valueWord(h, "HAND_MADE_")
}

// ruledInWords is what holds for a job that the defaults do not say, or that the job was asked for; empty if nothing. A
// corrected report was asked for nothing: its settings are those of the job that it corrects.
func ruledInWords(j *ingestv1.Job) string {
	p, asked := j.GetPolicies(), j.GetSettings()
	if j.GetCorrects() != "" {
		asked = nil
	}
	var parts []string
	if s := rulesInWords(p); s != "always" {
		parts = append(parts, s)
	}
	if s := handInWords(p); s != "new-values" {
		parts = append(parts, "values by hand "+s)
	}
	if len(p.GetKeys()) > 0 {
		parts = append(parts, "matched by "+keysInWords(p))
	}
	if j.GetBadCell() == accountsv1.BadCell_BAD_CELL_DROP_CELL || asked.GetBadCell() != 0 {
		parts = append(parts, "bad cell "+valueWord(j.GetBadCell(), "BAD_CELL_"))
	}
	if j.GetUnknownToProvider() == accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT || asked.GetUnknownToProvider() != 0 {
		parts = append(parts, "unknown to the provider "+valueWord(j.GetUnknownToProvider(), "UNKNOWN_TO_PROVIDER_"))
	}
	if j.GetProviderDown() == accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE || asked.GetProviderDown() != 0 {
		parts = append(parts, "provider down "+valueWord(j.GetProviderDown(), "PROVIDER_DOWN_"))
	}
	return strings.Join(parts, "; ")
}

// valueWord spells an enum's value as flags do: the opposite of word.
func valueWord(v fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(v.String(), prefix), "_", "-"))
}

// instants are the ways in which a time may be said; those without a zone are of this machine's.
var instants = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly}

// instant reads the time of a flag; nil if it is not given.
func instant(flag, s string) (*timestamppb.Timestamp, error) {
	if s == "" {
		return nil, nil
	}
	for _, layout := range instants {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return timestamppb.New(t), nil
		}
	}
	return nil, usage{fmt.Errorf("%s %q: say a day or a time, e.g. 2026-03-01, \"2026-03-01 14:05\" or 2026-03-01T14:05:00Z", flag, s)}
}

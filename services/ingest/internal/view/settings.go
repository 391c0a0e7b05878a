package view

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

const (
	maxRequestID  = 128
	maxListName   = 200 // characters
	maxMapping    = 256 // as many as a file has columns
	maxHeading    = 1024
	maxRecipients = 20

	// asOfAhead is how far the clocks of others, and their time zones, may be ahead of ours.
	asOfAhead = 24 * time.Hour
)

// earliestAsOf is before any file.
var earliestAsOf = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// FromRequestID checks a submission's own id: 1 to 128 printable ASCII characters.
func FromRequestID(s string) (string, error) {
	if s == "" || len(s) > maxRequestID || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", fault.New(fault.Invalid, "request-id-invalid", "the request id is not 1 to %d printable ASCII characters", maxRequestID).
			Hint("make one id for each file and use it again only to send the same file again")
	}
	return s, nil
}

// FromSettings checks what a submitter asks for at a time and brings it to one form, so that equal requests are equal.
func FromSettings(s *ingestv1.ImportSettings, now time.Time) (ledger.Settings, error) {
	out := ledger.Settings{Check: s.GetCheck(), Review: s.GetReview()}
	var ok bool
	if out.Mode, ok = FromMode(s.GetMode()); !ok && s.GetMode() != ingestv1.Mode_MODE_UNSPECIFIED { // a corrected report goes by its job's
		return ledger.Settings{}, fault.New(fault.Invalid, "mode-invalid", "the mode is unknown").Hint("say add, update or upsert")
	}
	if out.Check && out.Review {
		return ledger.Settings{}, fault.New(fault.Invalid, "check-and-review", "a check changes nothing, so there is nothing to review").
			Hint("ask for one of the two: a review tells what a check tells, and waits")
	}
	if out.DateOrder, ok = FromDateOrder(s.GetDateOrder()); !ok {
		return ledger.Settings{}, fault.New(fault.Invalid, "date-order-invalid", "the date order is unknown").Hint("say YMD, DMY or MDY, or nothing")
	}
	var err error
	if out.List, err = listName(s.GetList()); err != nil {
		return ledger.Settings{}, err
	}
	if out.Mapping, err = FromMapping(s.GetMapping()); err != nil {
		return ledger.Settings{}, err
	}
	if out.Reading, err = FromReading(s.GetReading()); err != nil {
		return ledger.Settings{}, err
	}
	if out.Values, err = FromValues(s.GetValues()); err != nil {
		return ledger.Settings{}, err
	}
	if out.Policies, err = FromPolicies(s.GetPolicies()); err != nil {
		return ledger.Settings{}, err
	}
	if out.BadCell, err = FromBadCell(s.GetBadCell()); err != nil {
		return ledger.Settings{}, err
	}
	if out.UnknownToProvider, err = FromUnknownToProvider(s.GetUnknownToProvider()); err != nil {
		return ledger.Settings{}, err
	}
	if out.ProviderDown, err = FromProviderDown(s.GetProviderDown()); err != nil {
		return ledger.Settings{}, err
	}
	if out.AsOf, err = asOf(s.GetAsOf(), now); err != nil {
		return ledger.Settings{}, err
	}
	out.Recipients, err = recipients(s.GetRecipients())
	return out, err
}

// asOf is when the values of a file were so, to the second, as rows say it too; zero for not said. One from the future would
// keep the files of all the time until then from changing anything.
func asOf(at *timestamppb.Timestamp, now time.Time) (time.Time, error) {
	if at == nil {
		return time.Time{}, nil
	}
	t := at.AsTime().Truncate(time.Second)
	if at.CheckValid() != nil || t.Before(earliestAsOf) || t.After(now.Add(asOfAhead)) {
		return time.Time{}, fault.New(fault.Invalid, "as-of-invalid", "the time that the file's values are of is before 1900 or in the future").
			Hint("say when they were so, such as 2026-03-01T14:05:00Z, or nothing for now")
	}
	return t, nil
}

func listName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > maxListName || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fault.New(fault.Invalid, "list-name-invalid", "the list's name is longer than %d characters or holds control characters", maxListName)
	}
	return s, nil
}

// FromMapping checks headings and the shape of what they are mapped to; nil for none. Whether there are such fields is
// checked by KnownFields.
func FromMapping(m map[string]string) (map[string]string, error) {
	if len(m) > maxMapping {
		return nil, fault.New(fault.Invalid, "mapping-too-large", "%d headings are mapped, the limit is %d", len(m), maxMapping)
	}
	if len(m) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(m))
	for heading, field := range m {
		if heading == "" || len(heading) > maxHeading {
			return nil, fault.New(fault.Invalid, "heading-invalid", "a mapped heading is empty or longer than %d bytes", maxHeading)
		}
		out[heading] = field
	}
	return out, nil
}

// recipients are returned in their normal form, each once, in their order. Errors do not quote them.
func recipients(addresses []string) ([]string, error) {
	if len(addresses) > maxRecipients {
		return nil, fault.New(fault.Invalid, "too-many-recipients", "%d recipients, the limit is %d", len(addresses), maxRecipients)
	}
	var out []string
	for i, a := range addresses {
		normal, code := contact.AppendEmail(nil, []byte(a))
		if code.Failed() || len(normal) == 0 {
			return nil, fault.New(fault.Invalid, "recipient-invalid", "recipient %d is not an email address", i+1)
		}
		if !slices.Contains(out, string(normal)) {
			out = append(out, string(normal))
		}
	}
	return out, nil
}

// cut keeps what a caller sent from filling an error.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

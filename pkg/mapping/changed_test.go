package mapping_test

import (
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/mapping"
)

const (
	times = "a@x.io;2026-03-01T14:05:00Z|b@x.io;2026-03-02 09:30|c@x.io;|d@x.io;3/13/2026 2:05 PM"
	words = "a@x.io;yes|b@x.io;2026-03-02|c@x.io;2026-03-03|d@x.io;2026-03-04"
)

// A column says when its rows were changed only where that matters, its heading is a word for it to the letter, and its values bear
// it out; under the field's own name where that matters or its values do.
func TestWhenRowsWereChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		heading, sample string
		compared        bool
		said            map[string]string
		want            bool
	}{
		{"Last modified", times, true, nil, true}, {"updated_at", times, true, nil, true}, {"Updated at", times, true, nil, true}, {"LAST_CHANGED", times, true, nil, true}, {"lastModifiedDate", times, true, nil, true},
		{"Geändert am", times, true, nil, true}, {"Geaendert am", times, true, nil, true}, {"Letzte Änderung", times, true, nil, true}, {"Modifié le", times, true, nil, true}, {"Fecha de modificación", times, true, nil, true},
		{"Ultima modifica", times, true, nil, true}, {"Última alteração", times, true, nil, true}, {"Laatst gewijzigd", times, true, nil, true}, {"Data modyfikacji", times, true, nil, true}, {"Дата изменения", times, true, nil, true},
		{"修改时间", times, true, nil, true}, {"最後更新時間", times, true, nil, true}, {"Last modified", "a@x.io;2026-03-01", true, nil, true},
		{"Last modified", times, false, nil, false}, {"Last modified", "", true, nil, false}, {"Last modified", words, true, nil, false}, {"Last modified", "a@x.io;|b@x.io;", true, nil, false},
		{"Last modifed", times, true, nil, false}, {"Last modified by", times, true, nil, false}, {"Created at", times, true, nil, false}, {"Customer last modified", times, true, nil, false}, {"Date", times, true, nil, false},
		{"changed_at", times, false, nil, true}, {"Changed at", times, false, nil, true}, {"changed_at", "", false, nil, true}, {"changed_at", "a@x.io;soon|b@x.io;later|c@x.io;2026-01-01|d@x.io;no", false, nil, false}, {"changed_at", "a@x.io;soon|b@x.io;later|c@x.io;2026-01-01|d@x.io;no", true, nil, true}, {"changed_by", times, true, nil, false}, {"chаnged_at", times, true, nil, false}, // Cyrillic а
		{"Stand", times, false, map[string]string{"Stand": "changed_at"}, true}, {"Last modified", times, true, map[string]string{"Last modified": "-"}, false}, {"Last modified", words, false, map[string]string{"Last modified": "changed_at"}, true},
	} {
		got := mapping.Map(mapping.Request{Headings: []string{"Email", c.heading}, Sample: rows(c.sample), Compared: c.compared, Said: c.said})
		if field := got.Columns[1].Field; field == contact.FieldChangedAt != c.want || field != contact.FieldChangedAt && field != contact.NoField {
			t.Errorf("%q, compared %v, values %q: %q by %q, want it %v", c.heading, c.compared, c.sample, field, got.Columns[1].How, c.want)
		}
		if got.Question != nil || got.Problem != nil {
			t.Errorf("%q: %+v, %+v", c.heading, got.Question, got.Problem)
		}
	}
	two := mapping.Map(mapping.Request{Headings: []string{"Email", "Last modified", "Updated at"}, Sample: rows("a@x.io;2026-03-01;2026-03-02"), Compared: true})
	if two.Question == nil || two.Question.Code != "two-columns-for-one-field" {
		t.Errorf("two columns: %+v", two.Question)
	}
}

func TestChosenKeysAreAskedFor(t *testing.T) {
	t.Parallel()
	by := func(keys ...contact.Key) (mask uint16) {
		for _, k := range keys {
			mask |= 1 << k
		}
		return mask
	}
	for name, c := range map[string]struct {
		headings string
		keys     uint16
		message  string // part of it; empty for no question
		hint     string
	}{
		"chosen and there":      {"Email;External id", by(contact.ExternalID), "", ""},
		"one of two":            {"Email;City", by(contact.ExternalID, contact.Email), "", ""},
		"not there":             {"Email;Phone", by(contact.ExternalID), "matched by external_id, and no column", `--map HEADING=external_id`},
		"none of three":         {"Phone;City", by(contact.ExternalID, contact.Email, contact.OwnKey), "matched by external_id, email or member_no, and", `--map HEADING=external_id`},
		"own":                   {"Phone;member_no", by(contact.OwnKey), "", ""},
		"fallback whole":        {"First name;Last name;Birth date;Zip", by(contact.NameBirthZip), "", ""},
		"fallback in part":      {"First name;Last name;Birth date;Email", by(contact.NameBirthZip), "matched by name_birth_zip, and", "--map HEADING=zip; or cancel"},
		"fallback not chosen":   {"First name;Last name;Birth date;Zip", by(contact.Email), "matched by email, and", "--map HEADING=email"},
		"guess of a chosen key": {"Phone;Work e-mail address 2", by(contact.Email), "matched by email, and", "contactmill jobs answer JOB --map"},
	} {
		got := mapping.Map(mapping.Request{Headings: strings.Split(c.headings, ";"), Schema: own(t), Keys: c.keys}).Question
		if c.message == "" {
			if got != nil {
				t.Errorf("%s: asks %+v", name, got)
			}
			continue
		}
		if got == nil || got.Code != "no-key-column" || !strings.Contains(got.Message, c.message) || !strings.Contains(got.Hint, c.hint) {
			t.Errorf("%s: asks %+v", name, got)
		}
	}
}

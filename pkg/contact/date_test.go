package contact_test

import (
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

func TestDate(t *testing.T) {
	t.Parallel()
	today := day(t, 2026, 11, 21)
	for _, s := range []struct {
		cell  string
		rules contact.DateRules
		want  string
		code  contact.Code
	}{
		{"1958-10-13", contact.DateRules{}, "1958-10-13", ""},
		{"1958-10-13", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{" 1958/10/3 ", contact.DateRules{}, "1958-10-03", ""},
		{"19581013", contact.DateRules{}, "1958-10-13", ""},
		{"13101958", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{"13.10.1958", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{"3. 1. 1958", contact.DateRules{Order: contact.DMY}, "1958-01-03", ""},
		{"10/13/1958", contact.DateRules{Order: contact.MDY}, "1958-10-13", ""},
		{"13/10/1958", contact.DateRules{Order: contact.MDY}, "", finding.DateImpossible},
		{"10/13/1958", contact.DateRules{}, "", finding.DateOrderUnknown},
		{"02/03/04", contact.DateRules{}, "", finding.DateOrderUnknown},
		{"02/03/04", contact.DateRules{Order: contact.DMY}, "", finding.DateTwoDigitYear},
		{"02/03/04", contact.DateRules{Order: contact.DMY, Pivot: 27}, "2004-03-02", ""},
		{"02/03/58", contact.DateRules{Order: contact.DMY, Pivot: 27}, "1958-03-02", ""},
		{"58-10-13", contact.DateRules{Order: contact.YMD, Pivot: 27}, "1958-10-13", ""},
		{"1958-10-13 00:00:00", contact.DateRules{}, "1958-10-13", ""},
		{"1958-10-13T00:00:00", contact.DateRules{}, "1958-10-13", ""},
		{"1958-10-13T00:00:00Z", contact.DateRules{}, "", finding.DateWithTime},
		{"1958-10-13 07:30", contact.DateRules{}, "", finding.DateWithTime},
		{"1958-10-13T00:00:00+02:00", contact.DateRules{}, "", finding.DateWithTime},
		{"2023-02-29", contact.DateRules{}, "", finding.DateImpossible},
		{"2024-02-29", contact.DateRules{}, "2024-02-29", ""},
		{"1900-02-29", contact.DateRules{}, "", finding.DateImpossible},
		{"31/04/2001", contact.DateRules{Order: contact.DMY}, "", finding.DateImpossible},
		{"1958-00-13", contact.DateRules{}, "", finding.DateImpossible},
		{"0000-01-01", contact.DateRules{}, "", finding.DateImpossible},
		{"99999-01-01", contact.DateRules{}, "", finding.DateInvalid},
		{"0001-01-01 BC", contact.DateRules{}, "", finding.DateInvalid},
		{"now", contact.DateRules{}, "", finding.DateInvalid},
		{"infinity", contact.DateRules{}, "", finding.DateInvalid},
		{"21471", contact.DateRules{}, "", finding.DateInvalid},
		{"1958-10/13", contact.DateRules{}, "", finding.DateInvalid},
		{"1958-10", contact.DateRules{}, "", finding.DateInvalid},
		{"١٩٥٨-10-13", contact.DateRules{}, "", finding.DateInvalid},
		{"1958\u201110\u201113", contact.DateRules{}, "1958-10-13", ""},
		{"2026-11-21", contact.DateRules{}, "2026-11-21", ""},
		{"2026-11-22", contact.DateRules{}, "", finding.BirthDateFuture},
		{"1896-11-21", contact.DateRules{}, "1896-11-21", ""},
		{"1896-11-20", contact.DateRules{}, "", finding.BirthDateTooOld},
		{"", contact.DateRules{}, "", finding.DateInvalid},
		{"\xff", contact.DateRules{}, "", finding.DateInvalid},
	} {
		got, code := contact.ParseBirthDate([]byte(s.cell), s.rules, today)
		if code != s.code || code == "" && got.String() != s.want {
			t.Errorf("%q, order %s: got %s, %q; want %s, %q", s.cell, s.rules.Order, got, code, s.want, s.code)
		}
	}
	if _, code := contact.ParseBirthDate([]byte("1894-02-28"), contact.DateRules{}, day(t, 2024, 2, 29)); code != "" {
		if code != finding.BirthDateTooOld {
			t.Error(code)
		}
	}
}

// Every day that the calendar of package time has, forth and back, and none that it has not.
func TestDatesAreThoseOfPackageTime(t *testing.T) {
	t.Parallel()
	unix := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; unix.Year() < 10000; unix = unix.AddDate(0, 0, 17) {
		y, m, d := unix.Date()
		got, ok := contact.DateOf(y, int(m), d)
		if !ok || int64(got) != unix.Unix()/86400 && unix.Unix() >= 0 || got.String() != unix.Format(time.DateOnly) {
			t.Fatalf("%s: got %s (%d), %v", unix.Format(time.DateOnly), got, got, ok)
		}
	}
	for y := 1896; y < 2110; y++ {
		for m := -1; m <= 14; m++ {
			for d := -1; d <= 33; d++ {
				_, ok := contact.DateOf(y, m, d)
				u := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
				if want := u.Year() == y && int(u.Month()) == m && u.Day() == d; ok != want {
					t.Fatalf("%d-%d-%d: %v, want %v", y, m, d, ok, want)
				}
			}
		}
	}
}

func TestDateEvidence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cells   []string
		order   contact.DateOrder
		decided bool
	}{
		"iso":           {[]string{"1958-10-13", "2001-02-03"}, contact.YMD, true},
		"day first":     {[]string{"02/03/2001", "13/10/1958"}, contact.DMY, true},
		"month first":   {[]string{"02/03/2001", "10/13/1958"}, contact.MDY, true},
		"undecidable":   {[]string{"02/03/2001", "04/05/1958"}, contact.DMY, false},
		"short years":   {[]string{"02/03/04", "31/03/04"}, contact.ISO, false},
		"contradiction": {[]string{"13/10/1958", "14/10/1958", "10/15/1958"}, contact.ISO, false},
		"mixed, iso":    {[]string{"1958-10-13", "10/13/1958"}, contact.MDY, true},
		"nothing":       {[]string{"", "x"}, contact.ISO, true},
		"short serial":  {[]string{"44562"}, contact.ISO, true},
	} {
		var e, half contact.DateEvidence
		for i, cell := range c.cells {
			if i%2 == 0 {
				e.Add([]byte(cell))
			} else {
				half.Add([]byte(cell))
			}
		}
		e.Merge(half)
		if order, decided := e.Order(); order != c.order && c.decided || decided != c.decided {
			t.Errorf("%s: %s, decided %v; want %s, %v", name, order, decided, c.order, c.decided)
		}
	}
}

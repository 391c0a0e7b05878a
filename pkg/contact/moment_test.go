package contact_test

import (
	"strings"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"pgregory.net/rapid"
)

func TestMoments(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	spec, _ := contact.FieldChangedAt.Spec()
	for cell, want := range map[string]string{
		"2026-03-01T14:05:00Z": "2026-03-01T14:05:00Z", "2026-03-01t14:05:00z": "2026-03-01T14:05:00Z", "2026-03-01T14:05:59.999Z": "2026-03-01T14:05:59Z",
		"2026-03-01T14:05:00+02:00": "2026-03-01T12:05:00Z", "2026-03-01T23:05:00-05:30": "2026-03-02T04:35:00Z", "2026-01-01T00:30:00+14:00": "2025-12-31T10:30:00Z",
		"2026-03-01 14:05": "2026-03-01T14:05:00Z", "2026-03-01 14:05:07": "2026-03-01T14:05:07Z", "2026-03-01T14:05": "2026-03-01T14:05:00Z", "2026-03-01 4:05": "2026-03-01T04:05:00Z",
		"2026-03-01 14:05:07.123456": "2026-03-01T14:05:07Z", "2026-03-01 14:05:07,5": "2026-03-01T14:05:07Z", "2026-03-01 14:05:07.0": "2026-03-01T14:05:07Z",
		"2026-03-01 14:05:07 UTC": "2026-03-01T14:05:07Z", "2026-03-01 14:05:07 +0100": "2026-03-01T13:05:07Z", "2026-03-01 14:05+01": "2026-03-01T13:05:00Z", "2026-03-01 14:05 GMT-3": "2026-03-01T17:05:00Z",
		"2026-03-01": "2026-03-01T00:00:00Z", "1.3.2026": "2026-03-01T00:00:00Z", "1. März 2026": "2026-03-01T00:00:00Z",
		"01/03/2026 14:05": "2026-03-01T14:05:00Z", "1.3.2026 14:05": "2026-03-01T14:05:00Z", "1.3.26 14:05": "2026-03-01T14:05:00Z", "01/03/2026, 2:05:00 PM": "2026-03-01T14:05:00Z",
		"01/03/2026 12:00 AM": "2026-03-01T00:00:00Z", "01/03/2026 12:30 p.m.": "2026-03-01T12:30:00Z", "01/03/2026 02:05pm": "2026-03-01T14:05:00Z", "1 March 2026 2:05 am": "2026-03-01T02:05:00Z",
		"2026年3月1日 14:05": "2026-03-01T14:05:00Z", "1 марта 2026 г. 14:05": "2026-03-01T14:05:00Z", "01/03/2026, 2:05:00\u202fPM": "2026-03-01T14:05:00Z", " 2026-03-01 14:05\u00a0": "2026-03-01T14:05:00Z",
		"2016-12-31T23:59:60Z": "2017-01-01T00:00:00Z", "1999-12-31T23:59:59Z": "1999-12-31T23:59:59Z", "1900-01-01 00:00": "1900-01-01T00:00:00Z", "2026-11-22 23:59": "2026-11-22T23:59:00Z",
		"UNKNOWN": "date-invalid", "yesterday": "date-invalid", "14:05": "time-invalid", "2026-03-01 25:00": "time-invalid", "2026-03-01 14:60": "time-invalid", "2026-03-01 14:05:61": "time-invalid", "2026-03-01 13:05 PM": "time-invalid",
		"2026-03-01 0:05 AM": "time-invalid", "2026-03-01 14:05 CET": "time-invalid", "2026-03-01T14:05:00+15:00": "time-invalid", "2026-03-01T14:05:00+2:0": "time-invalid", "2026-03-01T14:05:00Z+02:00": "time-invalid", "2026-03-01T14": "time-invalid",
		"2026-03-0114:05": "time-invalid", "2026-02-30 14:05": "date-impossible", "2026-11-23": "changed-in-future", "2026-11-22T23:00:00-01:00": "changed-in-future", "2999-01-01T00:00:00Z": "changed-in-future", "99-99-2026 14:05": "date-impossible", "1/2/99 14:05": "changed-in-future",
		"9999-12-31T23:59:59-14:00": "date-impossible", "1000-01-01T00:00:00+01:00": "date-impossible", "46082.586805": "date-invalid", "#N/A": "spreadsheet-error",
	} {
		rules := contact.Rules{Today: day(t, 2026, 11, 21), Dates: contact.DateRules{Order: contact.DMY, Pivot: contact.PivotCentury}}
		out, code := n.AppendSpec(nil, &spec, []byte(cell), rules)
		if got := string(out); code.Failed() && string(code) != want || !code.Failed() && got != want {
			t.Errorf("%q: got %s with %q, want %s", cell, got, code, want)
		}
	}
}

func TestMomentsOfWorkbooks(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	spec, _ := contact.FieldChangedAt.Spec()
	for _, c := range []struct {
		cell string
		kind contact.CellKind
		want string
	}{
		{"2026-03-01", contact.CellDate, "2026-03-01T00:00:00Z"}, {"2026-03-01T14:05:00", contact.CellDate, "2026-03-01T14:05:00Z"}, {"2026-03-01T14:05:07.123", contact.CellDate, "2026-03-01T14:05:07Z"},
		{"46082.586805", contact.CellNumber, "2026-03-01T14:05:00Z"}, {"46082.5868055555556", contact.CellRounded, "2026-03-01T14:05:00Z"}, {"46082", contact.CellNumber, "2026-03-01T00:00:00Z"}, {"46082.999999", contact.CellNumber, "2026-03-02T00:00:00Z"},
		{"20260301", contact.CellNumber, "2026-03-01T00:00:00Z"}, {"5.5", contact.CellNumber, ""}, {"TRUE", contact.CellBool, ""}, {"0.5", contact.CellNumber, ""},
	} {
		out, code := n.AppendSpec(nil, &spec, []byte(c.cell), contact.Rules{Today: day(t, 2026, 11, 21), Cell: c.kind})
		if code.Failed() != (c.want == "") || string(out) != c.want {
			t.Errorf("%q: got %s with %q, want %s", c.cell, out, code, c.want)
		}
	}
}

// The day of a moment says in which order the column is written, and its time of day nothing.
func TestEvidenceOfMoments(t *testing.T) {
	t.Parallel()
	var e contact.DateEvidence
	for _, cell := range []string{"13/10/2026 14:05", "10/13/2026, 2:05 PM", "02/03/2026 0:00", "2026-03-01T14:05:00+02:00", "13-Oct-26 7:30", "46082.5868", "46082", "14:05", "13/10/2026 25:00", "", "x"} {
		e.AddMoment([]byte(cell))
	}
	want := contact.Votes{YMD: 2, DMY: 1, MDY: 1, Both: 1, Short: 1, Serial: 2, Other: 3}
	if got := e.Votes(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var serials contact.DateEvidence
	for range 30 {
		serials.AddMoment([]byte("46082.25"))
	}
	rules, decided := serials.Rules(contact.PivotCentury)
	if m, code := contact.ParseMoment([]byte("46082.25"), rules); !decided || code != finding.DateFromSerial || m.String() != "2026-03-01T06:00:00Z" {
		t.Errorf("got %s with %q, decided %v", m, code, decided)
	}
}

// momentLayouts are those of package time that have to be read alike.
var momentLayouts = map[contact.DateOrder][]string{
	contact.ISO: {time.RFC3339, time.RFC3339Nano, time.DateTime, time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05 -0700", "2 Jan 2006 15:04", "2006-01-02 3:04 PM", "2006-01-02T15:04:05.999999999"},
	contact.DMY: {"2/1/2006 15:04", "02.01.2006 15:04:05", "2/1/2006"}, contact.MDY: {"1/2/2006 3:04 PM", "01/02/2006 15:04:05", "1/2/2006, 3:04:05 PM"},
}

func FuzzMoment(f *testing.F) {
	for _, cell := range []string{"2026-03-01T14:05:00Z", "2026-03-01 14:05:07.123456 +0100", "01/03/2026, 2:05:00 PM", "1.3.26 14:05", "1 March 2026 2:05 am", "2026年3月1日 14:05", "46082.586805", "20260301", "1000-01-01T00:00:00+01:00", "2016-12-31T23:59:60Z", "T14:05"} {
		for order := range uint8(4) {
			f.Add([]byte(cell), order, uint8(100), order == 1)
		}
	}
	f.Fuzz(sameMoment)
}

// sameMoment holds a cell against package time, and the normal form against itself.
func sameMoment(t *testing.T, cell []byte, order, pivot uint8, serials bool) {
	rules := contact.DateRules{Order: contact.DateOrder(order % 4), Pivot: pivot, Serials: serials}
	before := string(cell)
	got, code := contact.ParseMoment(cell, rules)
	var e contact.DateEvidence
	e.AddMoment(cell)
	if string(cell) != before {
		t.Fatalf("%q was changed to %q", before, cell)
	}
	if !code.Failed() {
		again, code := contact.ParseMoment([]byte(got.String()), rules)
		want, err := time.Parse(time.RFC3339, got.String())
		if code != "" || again != got || err != nil || want.Unix() != int64(got) {
			t.Fatalf("%q became %s, and that %s with %q, or %s with %v", cell, got, again, code, want, err)
		}
	}
	for _, layout := range append(momentLayouts[rules.Order], momentLayouts[contact.ISO]...) {
		want, err := time.Parse(layout, string(cell))
		if _, east := want.Zone(); err != nil || want.UTC().Year() < 1000 || want.UTC().Year() > 9999 || east > 14*3600 || east < -14*3600 || len(cell) > 64 {
			continue
		}
		if layout == time.RFC3339 && strings.Contains(string(cell), ".") || serials && code == finding.DateFromSerial {
			continue // fractions that are longer than nine digits
		}
		if code.Failed() || int64(got) != want.Unix() {
			t.Fatalf("%q, order %s: got %s with %q; package time reads %s with %q", cell, rules.Order, got, code, want.UTC(), layout)
		}
		return
	}
}

func TestMomentsAreThoseOfPackageTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		at := time.Unix(rapid.Int64Range(-30_000_000_000, 200_000_000_000).Draw(r, "at"), rapid.Int64Range(0, 999_999_999).Draw(r, "fraction")).In(time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(r, "east")))
		order := rapid.SampledFrom([]contact.DateOrder{contact.ISO, contact.DMY, contact.MDY}).Draw(r, "order")
		layout := rapid.SampledFrom(momentLayouts[order]).Draw(r, "layout")
		sameMoment(t, []byte(at.Format(layout)), uint8(order), contact.PivotCentury, false)
		if t.Failed() {
			r.FailNow()
		}
	})
}

package contact_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"pgregory.net/rapid"
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
		{"13.10.1958 г.", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
		{"13.10.1958r.", contact.DateRules{Order: contact.DMY}, "1958-10-13", ""},
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

// Months have names in ten languages, in full and cut short, and are read under every order.
func TestDatesInWords(t *testing.T) {
	t.Parallel()
	today := day(t, 2026, 11, 21)
	for cell, want := range map[string]string{
		"13 October 1958": "1958-10-13", "October 13, 1958": "1958-10-13", "Oct 13 1958": "1958-10-13", "13-Oct-1958": "1958-10-13", "13th of October, 1958": "1958-10-13", "1958 Oct 13": "1958-10-13", "OCT. 3RD, 1958": "1958-10-03",
		"13. Oktober 1958": "1958-10-13", "1. März 1958": "1958-03-01", "1. Maerz 1958": "1958-03-01", "1. Jänner 1958": "1958-01-01", "3. Dez. 1958": "1958-12-03", "1er janvier 1958": "1958-01-01", "14 août 1958": "1958-08-14", "2 févr. 1958": "1958-02-02",
		"13 de octubre de 1958": "1958-10-13", "1 ene 1958": "1958-01-01", "13 ottobre 1958": "1958-10-13", "1º maggio 1958": "1958-05-01", "13 de outubro de 1958": "1958-10-13", "1 de março de 1958": "1958-03-01",
		"13 oktober 1958": "1958-10-13", "3 mrt. 1958": "1958-03-03", "13 października 1958 r.": "1958-10-13", "1 sty 1958": "1958-01-01", "13 октября 1958 г.": "1958-10-13", "9 мая 1958": "1958-05-09", "9 май 1958": "1958-05-09",
		"1958年10月13日": "1958-10-13", "2024年1月31日": "2024-01-31", "１９５８年１０月１３日": "1958-10-13", "1958年10月13号": "1958-10-13", "1958년 10월 13일": "1958-10-13",
		"13 février 1958": "1958-02-13", "Oct 13 1958 12:00AM": "DateWithTime", "13 Oct 1958 07:30": "DateWithTime",
		"31 April 1958": "DateImpossible", "2023年2月29日": "DateImpossible", "13-Oct-58": "DateTwoDigitYear", "13 Foo 1958": "DateInvalid", "Oct 1958": "DateInvalid", "Oct": "DateInvalid", "13 Oct Nov 1958": "DateInvalid",
		"1958年10月": "DateInvalid", "10月13日": "DateInvalid", "13 Oct 1958 BC": "DateInvalid", "Friday 13 Oct 1958": "DateInvalid", "today": "DateInvalid", "epoch": "DateInvalid", "-infinity": "DateInvalid", "13 Oct 19580": "DateInvalid",
		"Oct\x00 13 1958": "DateInvalid", "昭和33年10月13日": "DateInvalid",
	} {
		code, bad := map[string]contact.Code{"DateWithTime": finding.DateWithTime, "DateImpossible": finding.DateImpossible, "DateTwoDigitYear": finding.DateTwoDigitYear, "DateInvalid": finding.DateInvalid}[want]
		for _, order := range []contact.DateOrder{contact.ISO, contact.DMY, contact.MDY, contact.YMD} {
			got, gotCode := contact.ParseBirthDate([]byte(cell), contact.DateRules{Order: order}, today)
			if gotCode != code || !bad && got.String() != want {
				t.Errorf("%q, order %s: got %s, %q; want %s", cell, order, got, gotCode, want)
			}
		}
	}
}

// Years of two digits are completed for birth dates that leave no doubt, and only where the column asks for it.
func TestCertainCentury(t *testing.T) {
	t.Parallel()
	today := day(t, 2026, 11, 21)
	certain := contact.DateRules{Order: contact.DMY, Pivot: contact.PivotCertain}
	for cell, want := range map[string]string{
		"13/10/58": "1958-10-13", "13/10/99": "1999-10-13", "13-Oct-58": "1958-10-13", "13/10/27": "1927-10-13", "22/11/26": "1926-11-22", "21/11/10": "2010-11-21", "01/01/00": "2000-01-01",
		"21/11/26": "", "01/01/16": "", "01/01/17": "", "29/02/23": "DateImpossible",
	} {
		got, code := contact.ParseBirthDate([]byte(cell), certain, today)
		switch want {
		case "":
			if code != finding.DateTwoDigitYear {
				t.Errorf("%q: got %s, %q; want doubt", cell, got, code)
			}
		case "DateImpossible":
			if code != finding.DateImpossible {
				t.Errorf("%q: got %s, %q", cell, got, code)
			}
		default:
			if code != finding.DateCentury || got.String() != want {
				t.Errorf("%q: got %s, %q; want %s", cell, got, code, want)
			}
		}
	}
	if _, code := contact.ParseDate([]byte("13/10/58"), certain); code != finding.DateTwoDigitYear {
		t.Errorf("a date that is none of birth: %q", code)
	}
}

func TestSerials(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{"61": "1900-03-01", "1000": "1902-09-26", "21471": "1958-10-13", "25569": "1970-01-01", "44562": "2022-01-01", "73050": "2099-12-31", "60": "", "73051": "", "0": "", "021471": "", "1.5": "", "-5": ""} {
		got, code := contact.ParseDate([]byte(cell), contact.DateRules{Serials: true})
		if want == "" && !code.Failed() || want != "" && (code != finding.DateFromSerial || got.String() != want) {
			t.Errorf("%q: got %s, %q; want %q", cell, got, code, want)
		}
	}
	var few, many contact.DateEvidence
	for i := range 40 {
		cell := []byte(fmt.Sprint(20000 + 37*i))
		if i < 19 {
			few.Add(cell)
		}
		many.Add(cell)
	}
	if few.Serials() || !many.Serials() || many.Votes().Serial != 40 {
		t.Errorf("19 numbers: %v; 40: %v, %+v", few.Serials(), many.Serials(), many.Votes())
	}
	many.Add([]byte("1958-10-13"))
	many.Add([]byte("x"))
	if many.Serials() {
		t.Error("two in forty that are no numbers, and still a column of numbers")
	}
}

// Whatever the column, the order that is called certain reads every cell that any order reads, but for one in twenty.
func TestCertainOrdersAreRight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := rapid.SampledFrom([]contact.DateOrder{contact.DMY, contact.MDY, contact.YMD}).Draw(t, "truth")
		short := rapid.Bool().Draw(t, "short")
		var e contact.DateEvidence
		for range rapid.IntRange(1, 60).Draw(t, "cells") {
			d := contact.Date(rapid.IntRange(-20000, 20000).Draw(t, "day"))
			y, m, dd := d.Civil()
			if short {
				y %= 100
			}
			parts := map[contact.DateOrder][3]int{contact.DMY: {dd, m, y}, contact.MDY: {m, dd, y}, contact.YMD: {y, m, dd}}[truth]
			e.Add(fmt.Appendf(nil, "%02d/%02d/%02d", parts[0], parts[1], parts[2]))
		}
		if order, decided := e.Order(); decided && order != truth {
			t.Fatalf("the column is %s, and called %s: %+v", truth, order, e.Votes())
		}
	})
}

// sameVote holds the evidence of a cell to the reader of dates: it has one vote, for the orders in which it can be read.
func sameVote(t interface{ Fatalf(string, ...any) }, cell []byte) {
	var e contact.DateEvidence
	e.Add(cell)
	reads := func(o contact.DateOrder) bool {
		_, code := contact.ParseDate(cell, contact.DateRules{Order: o, Pivot: 50})
		return code == ""
	}
	if _, code := contact.ParseDate(cell, contact.DateRules{}); code == finding.DateWithTime {
		return // the reader goes no further, the evidence does
	}
	var want contact.Votes
	switch dmy, mdy, ymd := reads(contact.DMY), reads(contact.MDY), reads(contact.YMD); {
	case contact.Blank(cell):
	case reads(contact.ISO), ymd && !dmy && !mdy:
		want.YMD = 1
	case dmy && !mdy && !ymd:
		want.DMY = 1
	case mdy && !dmy && !ymd:
		want.MDY = 1
	case dmy || mdy || ymd:
		want.Both = 1
	case e.Votes().Serial == 1:
		want.Serial = 1
	default:
		want.Other = 1
	}
	got := e.Votes()
	got.Short = 0
	if got != want {
		t.Fatalf("%q: %+v, want %+v", cell, got, want)
	}
}

func TestVotes(t *testing.T) {
	t.Parallel()
	var e contact.DateEvidence
	for _, cell := range []string{"13/10/1958", "10/13/1958", "02/03/2001", "1958-10-13", "13-Oct-58", "02/03/04", "99-12-31", "13.10.1958 07:30", "x", "44562", "", "19581013", "13101958", "1958/10/13", "1958/13/13"} {
		e.Add([]byte(cell))
		sameVote(t, []byte(cell))
	}
	want := contact.Votes{YMD: 5, DMY: 3, MDY: 1, Both: 2, Short: 3, Serial: 1, Other: 2}
	if got := e.Votes(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if rules, decided := e.Rules(contact.PivotCertain); decided || rules.Pivot != contact.PivotCertain || rules.Serials {
		t.Errorf("rules %+v, decided %v", rules, decided)
	}
	pieces := []string{"1", "2", "03", "13", "31", "58", "99", "1958", "2004", "/", "/", "-", "-", ".", ". ", " ", "Oct", "年", "00:00", "T07:30"}
	rapid.Check(t, func(t *rapid.T) {
		sameVote(t, []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 7).Draw(t, "pieces"), "")))
	})
}

func FuzzDate(f *testing.F) {
	for _, cell := range []string{"1958-10-13", "13.10.1958", "10/13/58", "13 October 1958", "13 октября 1958 г.", "2024年1月31日", "19581013", "21471", "1958-10-13 00:00:00", "0001-01-01 BC", "1º maggio 1958"} {
		for order := range uint8(4) {
			f.Add([]byte(cell), order, uint8(50), order == 1)
		}
	}
	layouts := map[contact.DateOrder][]string{
		contact.DMY: {"2/1/2006", "2.1.2006", "2-1-2006", "2 1 2006", "02012006"}, contact.MDY: {"1/2/2006", "1.2.2006", "1-2-2006", "1 2 2006", "01022006"},
		contact.ISO: {"20060102", "2006-1-2", "2006/1/2", "2 January 2006", "Jan 2 2006", "2-Jan-2006", "2006年1月2日"}, contact.YMD: {"2006.1.2"},
	}
	f.Fuzz(func(t *testing.T, cell []byte, order, pivot uint8, serials bool) {
		rules := contact.DateRules{Order: contact.DateOrder(order % 4), Pivot: pivot, Serials: serials}
		sameVote(t, cell)
		got, code := contact.ParseDate(cell, rules)
		if code == "" || code == finding.DateFromSerial {
			if again, code := contact.ParseDate([]byte(got.String()), rules); code != "" || again != got {
				t.Fatalf("%q became %s, and that %s with %q", cell, got, again, code)
			}
		}
		// what package time reads with a layout of the order has to come out as the same day
		for _, layout := range append(layouts[rules.Order], time.DateOnly) {
			want, err := time.Parse(layout, string(cell))
			if err != nil || want.Year() < 1000 {
				continue
			}
			if code != "" || got.String() != want.Format(time.DateOnly) {
				t.Fatalf("%q, order %s: got %s with %q; package time reads %s with %q", cell, rules.Order, got, code, want.Format(time.DateOnly), layout)
			}
			break
		}
	})
}

package validator

import (
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet"
)

// As LibreOffice rewrites cells that it opens as CSV and stores as CSV or XLSX, in English and in German, and as Excel does.
func TestRewritten(t *testing.T) {
	t.Parallel()
	const text, num, rounded, date = sheet.Text, sheet.Number, sheet.Rounded, sheet.Date
	for _, c := range []struct {
		was, now string
		kind     sheet.Kind
		want     bool
	}{
		{"007", "7", text, true}, {"007", "7", num, true}, {"007", "07", text, false}, {"007", "8", text, false}, {"007", "0007", text, false},
		{"0000", "0", text, true}, {"-0", "0", text, true}, {"+7", "7", text, true}, {"-7", "7", text, false}, {"(5)", "-5", text, true}, {"(5)", "5", text, false},
		{"1E5", "1.00E+05", text, true}, {"1E5", "100000", num, true}, {"1e-7", "1.00E-07", text, true}, {"102E3", "102000", text, true}, {"102E3", "103000", text, false},
		{"12345678901234567", "1.23456789012346E+016", text, true}, {"12345678901234567", "1.23457E+16", text, true}, {"12345678901234567", "12345678901234500", rounded, true},
		{"12345678901234567", "12345678901234600", rounded, true}, {"12345678901234567", "1.3E+16", text, false}, {"123456789012", "123456789000", text, false}, {"15551234567", "15551234568", text, false},
		{"0.1234567890123456", "0.123456789012346", text, true}, {"9.9999999999999999", "10", num, true}, {"1.26", "1.3", text, false},
		{"5%", "5.00%", text, true}, {"12.5%", "0.125", num, true}, {"5%", "5", text, false}, {"$12.50", "12.5", num, true}, {"€5", "5.00", text, true},
		{"$5", "$5.00", text, true}, {"-$5", "($5.00)", text, true}, {"$5", "€5", text, false}, {"5", "€5.00", text, false},
		{"1,234", "1234", text, true}, {"1,234.50", "1234.5", text, true}, {"1.234,50", "1234,5", text, true}, {"1,50", "1,5", text, true}, {"1,50", "1.5", num, true}, {"1.50", "1.5", text, true},
		{"1,5", "1.5", text, false}, {"1,23", "123", text, false}, {".5", "0.5", text, true}, {"5.", "5", text, true}, {"007.50", "7.5", text, true},
		{"true", "TRUE", text, true}, {"FALSE", "FALSE", sheet.Bool, true}, {"true", "false", text, false}, {"ann", "Ann", text, false}, {"yes", "YES", text, false},
		{"3/4/2020", "03/04/20", text, true}, {"3/4/2020", "2020-03-04", date, true}, {"3/4/2020", "2020-04-03", date, true}, {"3/4/2020", "4/3/2020", text, false}, {"3/4/2020", "3/5/2020", text, false},
		{"2020-3-4", "2020-03-04", text, true}, {"1990-05-13", "5/13/1990", text, true}, {"1990-05-13", "13.05.1990", text, true}, {"1990-05-13", "1990-05-14", text, false},
		{"May 5, 1990", "05/05/90", text, true}, {"05-May-90", "05/05/90", text, true}, {"13.05.1990", "1990-05-13", date, true},
		{"1/2", "01/02/26", text, true}, {"1/2", "2026-02-01", date, true}, {"Mar-05", "03/05/26", text, true}, {"May-1990", "1990-05-01", date, true}, {"1/2", "1/3", text, false},
		{"10:30", "10:30:00 AM", text, true}, {"10:30", "10:30:00", text, true}, {"22:30", "10:30:00 PM", text, true}, {"00:00", "12:00:00 AM", text, true}, {"24:00", "24:00:00", text, true}, {"10:30", "10:31", text, false},
		{"2020-01-02 03:04", "2020-01-02 03:04:00", text, true}, {"2020-01-02 03:04", "2020-01-02T03:04:00", date, true}, {"2020-01-02 03:04", "2020-01-02 03:05", text, false},
		{"2020-01-02 03:04:05", "2020-01-02 03:04", text, true}, {"2020-01-02 03:04:05", "2020-01-02 03:04:30", text, false}, {"2020-01-02 03:04:05", "2020-01-02T03:04:05", date, true},
		{"", "1", text, false}, {"1", "", text, false}, {"a", "b", text, false}, {"Ann", "Anna", text, false}, {"12 Main St", "12 Main Street", text, false}, {"1 1/2", "1 1/3", text, false},
	} {
		if got := rewritten([]byte(c.was), []byte(c.now), c.kind); got != c.want {
			t.Errorf("%q as %q: %t, want %t", c.was, c.now, got, c.want)
		}
	}
}

func FuzzRewritten(f *testing.F) {
	f.Add("007", "7")
	f.Add("1,234.50", "(5)")
	f.Add("1e9", "10:30 PM")
	f.Add("1/2", "2026-02-01")
	f.Fuzz(func(t *testing.T, was, now string) {
		for _, kind := range []sheet.Kind{sheet.Text, sheet.Number, sheet.Date} {
			rewritten([]byte(was), []byte(now), kind)
		}
	})
}

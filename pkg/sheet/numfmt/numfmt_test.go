package numfmt

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestShows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  string
		value float64
		want  string
	}{
		{"General", 1234567890123, "1.23457E+12"},
		{"General", -0.00000000012345, "-1.2345E-10"},
		{"General", 0.1 + 0.2, "0.3"},
		{"", 12345678901, "12345678901"},
		{"0.00", 1.005, "1.01"}, // a half of its 15 digits goes up
		{"0", 0.5, "1"},
		{"#,##0", 1234567, "1,234,567"},
		{"#,##0.00", -1234.5, "-1,234.50"},
		{"0,000", 12, "0,012"},
		{"#,##0,", 1234567, "1,235"},
		{"0%", 0.256, "26%"},
		{"0.00E+00", 12345, "1.23E+04"},
		{"##0.0E+0", 12345, "12.3E+3"},
		{"# ?/?", 2.5, "2 1/2"},
		{"# ??/16", 0.5, "  8/16"},
		{"00000", 1234, "01234"},
		{"000-00-0000", 12345678, "012-34-5678"},
		{"[<=9999999]###-####;(###) ###-####", 5551234567, "(555) 123-4567"},
		{`0;(0);"zero"`, -5, "(5)"},
		{`0;(0);"zero"`, 0, "zero"},
		{"[$€-407] 0.00", 3, "€ 3.00"},
		{`0" kg"`, 3, "3 kg"},
		{"@", 3, "3"},
		{"yyyy-mm-dd", 45322, "2024-01-31"},
		{"d/m/yy h:mm AM/PM", 45322.75, "31/1/24 6:00 PM"},
		{"dddd, mmmm d", 45322, "Wednesday, January 31"},
		{"[h]:mm:ss", 1.5, "36:00:00"},
		{"mm:ss.0", 0.5/86400 + 61.0/86400, "01:01.5"},
		{"yyyy-mm-dd", -1, hashes},
	} {
		if got := string(Compile(c.code).AppendShown(nil, c.value, false)); got != c.want {
			t.Errorf("%q shows %v as %q, want %q", c.code, c.value, got, c.want)
		}
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  string
		value float64
		want  string
		as    Reading
	}{
		{"General", 5, "", AsNumber},
		{"0.00", 5, "", AsNumber},
		{"0", 5, "", AsNumber},
		{"00000", 1234, "01234", AsText},
		{"00000-0000", 12345, "00001-2345", AsText},
		{"00000", 12.5, "", AsNumber},
		{`"D-"00000`, 1234, "", AsNumber}, // letters are no part of the value
		{"d.m.yyyy", 45322.9, "2024-01-31", AsDate},
		{"d.m.yyyy hh:mm", 45322.75, "2024-01-31T18:00:00", AsDate},
		{"d.m.yyyy hh:mm", 45322, "2024-01-31", AsDate},
		{"mm:ss.0", 61.5 / 86400, "00:01:01.500", AsText},
		{"hh:mm", 61.4999 / 86400, "00:01:01", AsText},
		{"[mm]:ss", 3600.0 / 86400, "01:00:00", AsText},
		{"d.m.yyyy", -1, "", AsNumber},
		{"0.0B", 3, "", AsNumber},
	} {
		got, as := Compile(c.code).AppendRead(nil, c.value, false)
		if string(got) != c.want || as != c.as {
			t.Errorf("%q reads %v as %q (%v), want %q (%v)", c.code, c.value, got, as, c.want, c.as)
		}
	}
}

// TestDatesAreInOrder shows that days follow one another, and that times of day come back.
func TestDatesAreInOrder(t *testing.T) {
	t.Parallel()
	for _, date1904 := range []bool{false, true} {
		last := ""
		for day := 0; day <= 120_000; day++ {
			m, ok := toMoment(float64(day), date1904)
			text := string(m.appendDate(nil))
			if !ok || text <= last {
				t.Fatalf("day %d is %s after %s", day, text, last)
			}
			last = text
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		second := rapid.IntRange(0, 86_399).Draw(t, "second")
		day := rapid.IntRange(61, lastDay).Draw(t, "day")
		want := fmt.Sprintf("%02d:%02d:%02d", second/3600, second/60%60, second%60)
		stored, err := strconv.ParseFloat(strconv.FormatFloat(float64(day)+float64(second)/86_400, 'g', 15, 64), 64)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := toMoment(stored, false)
		if got := string(m.appendClock(nil)); !ok || got != want {
			t.Fatalf("%v is %s, want %s", stored, got, want)
		}
	})
}

// FuzzFormat shows numbers and text in whatever format.
func FuzzFormat(f *testing.F) {
	for _, code := range builtin {
		f.Add(code, 1234.5, "text")
	}
	f.Add(`[<=9999999]###-####;(###) ###-####`, -5551234567.0, "")
	f.Add(`# ??/??;[h]:mm:ss.000;;"x"@`, 0.333, "a")
	f.Fuzz(func(t *testing.T, code string, value float64, s string) {
		if len(code) > 300 || math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		c := Compile(code)
		shown := c.AppendShown(nil, value, len(s)%2 == 0)
		if len(shown) > 100*len(code)+1000 {
			t.Fatalf("%q shows %v in %d bytes", code, value, len(shown))
		}
		c.AppendShownText(nil, []byte(s))
		c.AppendRead(nil, value, len(s)%2 == 0)
	})
}

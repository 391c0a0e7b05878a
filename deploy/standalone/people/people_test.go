package people

import (
	"bytes"
	"encoding/csv"
	"os"
	"testing"
)

func TestKeysAreUniqueAndSharesAreKept(t *testing.T) {
	for name, o := range map[string]Options{
		"real plan": {Seed: 7, Rows: 300_000, Duplicates: .02, Invalid: .01, Messy: .3},
		"fictional": {Seed: 7, Rows: 5_000, Duplicates: .0194, Invalid: .0064, Messy: .3, Fictional: true},
	} {
		var b bytes.Buffer
		c, err := Write(&b, o)
		if err != nil {
			t.Fatal(err)
		}
		if c.Good+c.Duplicates+c.Invalid != o.Rows || c.Duplicates != int(o.Duplicates*float64(o.Rows)+.5) || c.Invalid != int(o.Invalid*float64(o.Rows)+.5) {
			t.Errorf("%s: %+v", name, c)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		ids, phones, emails := map[string]int{}, map[string]int{}, map[string]int{}
		for _, r := range rows[1:] {
			ids[r[0]]++
			emails[r[3]]++
			digits := []byte{}
			for _, c := range []byte(r[4]) {
				if c >= '0' && c <= '9' {
					digits = append(digits, c)
				}
			}
			if len(digits) >= 10 {
				phones[string(digits[len(digits)-10:])]++
			}
		}
		distinct := c.Good + c.Invalid
		if len(ids) != distinct || len(emails) != distinct || len(phones) < distinct-c.Invalid {
			t.Errorf("%s: %d ids, %d emails, %d phones of %d people", name, len(ids), len(emails), len(phones), distinct)
		}
	}
}

func TestSameOptionsSameBytes(t *testing.T) {
	var a, b bytes.Buffer
	o := Options{Seed: 3, Rows: 1000, Duplicates: .1, Messy: .5}
	if _, err := Write(&a, o); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(&b, o); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two files of the same options differ")
	}
}

func TestSampleIsWhatTheRepositoryHolds(t *testing.T) {
	kept, err := os.ReadFile("../sample/contacts.csv")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	c, err := Write(&b, Sample())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{5000, 4871, 97, 32}); c != want {
		t.Errorf("sample is made of %+v, want %+v", c, want)
	}
	if !bytes.Equal(kept, b.Bytes()) {
		t.Error("sample/contacts.csv is not what cmd/people writes: write it anew")
	}
}

package contact_test

import (
	"bytes"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
)

func TestFoldedNames(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"O'Brien", "OBRIEN", "o’brien", " O Brien "}, {"Müller", "MULLER", "Mu\u0308ller", "ＭＵＬＬＥＲ"}, {"Strauß", "STRAUSS"},
		{"Łukasz", "lukasz"}, {"Søren", "SOREN"}, {"Anna-Maria", "anna maria"}, {"Ægir", "aegir"}, {"\u212aelvin", "kelvin"},
		{"Дмитрий", "ДМИТРИЙ"}, {"Ισίδωρος", "ΙΣΊΔΩΡΟΣ"},
	} {
		want := contact.AppendFolded(nil, []byte(same[0]))
		for _, other := range same[1:] {
			if got := contact.AppendFolded(nil, []byte(other)); !bytes.Equal(got, want) || len(got) == 0 {
				t.Errorf("%q folds to %q, %q to %q", same[0], want, other, got)
			}
		}
	}
	born := day(t, 1958, 10, 13)
	key, ok := contact.AppendNameBirthZip(nil, []byte("Ann"), []byte("O'Brien"), born, []byte("20510-0001"))
	if want := "ann\x1fobrien\x1f1958-10-13\x1f20510"; !ok || string(key) != want {
		t.Errorf("got %q, %v; want %q", key, ok, want)
	}
	for _, missing := range [][3]string{{"", "b", "1"}, {"a", "", "1"}, {"a", "b", ""}, {"-", "b", "1"}, {"a", ".", "1"}} {
		if key, ok := contact.AppendNameBirthZip([]byte("kept"), []byte(missing[0]), []byte(missing[1]), born, []byte(missing[2])); ok || string(key) != "kept" {
			t.Errorf("%q made the key %q", missing, key)
		}
	}
}

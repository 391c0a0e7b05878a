package contact

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Everyday text goes past the tables of normal forms: what it is made of has to be normal, to combine with nothing before it
// and to show.
func TestEverydayTextIsNormal(t *testing.T) {
	t.Parallel()
	letters := 0
	for r := rune(utf8.RuneSelf); r <= 0x1FFFF; r++ {
		s := utf8.AppendRune(nil, r)
		if n, ok := everydayText(s); !ok {
			continue
		} else if n != 1 {
			t.Errorf("%U counts as %d runes", r, n)
		}
		letters++
		if !norm.NFC.IsNormal(s) || !norm.NFC.Properties(s).BoundaryBefore() || invisible(r) || hidden(r) {
			t.Errorf("%U is not its own normal form, combines with what stands before it, or does not show", r)
		}
	}
	if letters < 30_000 {
		t.Errorf("%d everyday letters only", letters)
	}
}

package sheet

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWhatLeavesInertComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringMatching(`['=+@\-\t a-z]{0,6}`).Draw(t, "cell")
		out := cell
		if Computes([]byte(cell)) {
			out = "'" + cell
		}
		if back := string(Strip([]byte(out))); back != cell {
			t.Fatalf("%q left as %q and came back as %q", cell, out, back)
		}
		if len(out) > 0 {
			switch out[0] {
			case '=', '+', '-', '@', '\t', '\r', '\n':
				t.Fatalf("%q left as %q", cell, out)
			}
		}
	})
	for cell, want := range map[string]string{"O'Brien": "O'Brien", "'tis": "'tis", "'=1": "=1", "''=1": "'=1", "'": "'", "": "", "'+1 202": "+1 202"} {
		if got := string(Strip([]byte(cell))); got != want {
			t.Errorf("Strip(%q) = %q, want %q", cell, got, want)
		}
	}
}

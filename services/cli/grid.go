package cli

import (
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// widths measures text as a terminal shows it: Chinese characters take two places, accents none. It does not depend on
// the locale.
var widths = &runewidth.Condition{StrictEmojiNeutral: true}

// grid is a table whose columns are as wide as what is in them, by what a terminal shows.
type grid struct {
	right map[int]bool // columns that are set to the right, from 0
	lines [][]string
}

func (g *grid) add(cells ...string) { g.lines = append(g.lines, cells) }

// widths is how wide each column is.
func (g *grid) columns() []int {
	var w []int
	for _, line := range g.lines {
		for i, cell := range line {
			if i == len(w) {
				w = append(w, 0)
			}
			w[i] = max(w[i], widths.StringWidth(cell))
		}
	}
	return w
}

// line is one line of the table, without spaces at its end.
func (g *grid) line(cells []string, columns []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		if g.right[i] {
			b.WriteString(widths.FillLeft(cell, columns[i]))
		} else {
			b.WriteString(widths.FillRight(cell, columns[i]))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// print writes all lines.
func (g *grid) print(w io.Writer) {
	columns := g.columns()
	for _, l := range g.lines {
		_, _ = io.WriteString(w, g.line(l, columns)+"\n") // as everything that is shown to people
	}
}

// cut is a text safe for a terminal, and not wider than so many places.
func cut(s string, most int) string { return widths.Truncate(printable(s), most, "…") }

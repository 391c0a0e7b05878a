package validator

import (
	"maps"
	"slices"
)

// tally is what a block, and then the file, comes to.
type tally struct {
	rows, blank, invalid, broken, warnings int64
	keys                                   uint16
	filled                                 []int64
	unknown                                unknowns
}

func newTally(columns int) tally { return tally{filled: make([]int64, columns), unknown: unknowns{}} }

func (t *tally) add(o *tally) {
	t.rows += o.rows
	t.blank += o.blank
	t.invalid += o.invalid
	t.broken += o.broken
	t.warnings += o.warnings
	t.keys |= o.keys
	for i, n := range o.filled {
		t.filled[i] += n
	}
	t.unknown.add(o.unknown)
}

// clone is a copy that the next block leaves alone.
func (t *tally) clone() tally {
	c := *t
	c.filled, c.unknown = slices.Clone(t.filled), maps.Clone(t.unknown)
	return c
}

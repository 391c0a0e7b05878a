package contact

// DateEvidence gathers what a column's cells say about the order of their parts, so that it is decided once for the
// column. The zero value is empty. Evidence of several pieces of a file is added up with Merge.
type DateEvidence struct {
	Cells int          // looked at, blank ones left out
	Fits  [YMD + 1]int // by order: how many can be read so
	Short int          // with a year of two digits
}

// Add looks at one cell.
func (e *DateEvidence) Add(cell []byte, pivot uint8) {
	if Blank(cell) {
		return
	}
	e.Cells++
	if _, ok := isoDate(cell); ok {
		for o := range e.Fits {
			e.Fits[o]++
		}
		return
	}
	short := false
	for o := ISO; o <= YMD; o++ {
		// years of two digits must not hide the order: read them with any pivot, and count them
		if _, code := ParseDate(cell, DateRules{Order: o, Pivot: pivot}); code == "" {
			e.Fits[o]++
		} else if _, code := ParseDate(cell, DateRules{Order: o, Pivot: 50}); code == "" {
			e.Fits[o]++
			short = true
		}
	}
	if short {
		e.Short++
	}
}

// Merge adds other evidence of the same column.
func (e *DateEvidence) Merge(other DateEvidence) {
	e.Cells += other.Cells
	e.Short += other.Short
	for o := range e.Fits {
		e.Fits[o] += other.Fits[o]
	}
}

// Order returns the order that reads the most cells, and whether it is the only one: when two read equally many, day
// and month cannot be told apart and a person must say. ISO is preferred when nothing else reads more, as it is taken
// under every order. A column without a single date is ISO, decided.
func (e *DateEvidence) Order() (order DateOrder, decided bool) {
	best := e.Fits[ISO]
	decided = true
	for o := DMY; o <= YMD; o++ {
		switch n := e.Fits[o]; {
		case n > best:
			order, best, decided = o, n, true
		case n == best && order != ISO:
			decided = false
		}
	}
	return order, decided
}

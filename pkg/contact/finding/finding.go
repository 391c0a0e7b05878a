// Package finding is the catalogue of what can be wrong or doubtful about a cell, a row or a file. A code is stable:
// it is stored, shown, documented and filtered on, so it is never renamed, only added. The package that discovers a
// fact returns its code; text and hint are looked up here when somebody is to read them.
package finding

// Code names one kind of finding in stable kebab-case. The empty code means that there is nothing to say.
type Code string

// Severity says what a finding costs.
type Severity uint8

const (
	Warning Severity = iota // the value was taken, with a remark
	Error                   // the value is refused; its row is INVALID unless a policy drops the cell
	Refusal                 // the whole file is refused before any effect
)

func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Error:
		return "error"
	case Refusal:
		return "refusal"
	}
	return "unknown"
}

// Entry is one line of the catalogue.
type Entry struct {
	Code     Code
	Severity Severity
	Text     string // what is the case, without the value
	Hint     string // what the sender can do
}

// byCode finds the catalogue's lines.
var byCode = func() map[Code]*Entry {
	m := make(map[Code]*Entry, len(catalogue))
	for i := range catalogue {
		m[catalogue[i].Code] = &catalogue[i]
	}
	return m
}()

// Failed reports whether a value or row with this code is refused. Unknown codes are failures.
func (c Code) Failed() bool {
	if c == "" {
		return false
	}
	e := byCode[c]
	return e == nil || e.Severity != Warning
}

// Repaired reports whether the code says that the value taken is not the one written: whoever shows the finding shows the
// cell as it was and the value that it became. All such codes are warnings.
func (c Code) Repaired() bool {
	switch c {
	case InvisibleCharacter, ScientificRepaired, PointZeroRemoved, ZerosRestored, QuotesRemoved, QuoteStraightened, DateFromSerial, DateCentury, CellRestored:
		return true
	}
	return false
}

// Entry looks the code up.
func (c Code) Entry() (Entry, bool) {
	if e := byCode[c]; e != nil {
		return *e, true
	}
	return Entry{}, false
}

// All returns a copy of the catalogue in its documented order.
func All() []Entry { return append([]Entry(nil), catalogue[:]...) }

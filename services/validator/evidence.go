package validator

import (
	"fmt"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// evidence is what the cells of the columns say about how their dates and numbers are written; parallel to the columns.
type evidence []struct {
	dates     contact.DateEvidence
	numbers   contact.NumberEvidence
	ambiguous int64 // numbers that only the rest of the column can tell
}

// evident tells whether there are columns that have to be looked at before their rows can be read.
func evident(columns []column) bool {
	for i := range columns {
		if columns[i].dated() || columns[i].numbered() {
			return true
		}
	}
	return false
}

// gather counts the cells of a block in.
func (e evidence) gather(columns []column, p *sheet.Parser, b *sheet.Block) error {
	p.Reset(b)
	var buf [128]byte
	for r := p.Next(); r != nil; r = p.Next() {
		if r.Code != "" && len(r.Cells) == 0 {
			continue
		}
		for i := range columns {
			c := &columns[i]
			if i >= len(r.Cells) || len(r.Cells[i]) == 0 {
				continue
			}
			switch {
			case c.dated() && c.spec.Type == contact.TypeMoment:
				e[i].dates.AddMoment(r.Cells[i])
			case c.dated():
				e[i].dates.Add(r.Cells[i])
			case c.numbered() && (r.Kinds == nil || r.Kinds[i] == sheet.Text):
				e[i].numbers.Add(r.Cells[i])
				if _, code := contact.AppendNumber(buf[:0], r.Cells[i], 0); code == finding.NumberAmbiguous {
					e[i].ambiguous++
				}
			}
		}
	}
	return p.Err()
}

// settle writes into the columns what the evidence says; what a person said goes before it, what was said of such files
// before after it. open is the first column of dates that stays undecided, or -1; more tells whether more rows could say.
func (e evidence) settle(columns []column, said, remembered ingestv1.DateOrder) (open int, more bool) {
	open = -1
	for i := range columns {
		c := &columns[i]
		switch {
		case c.numbered():
			if c.decimal = c.point; c.decimal == 0 {
				c.decimal = e[i].numbers.Decimal()
			}
			more = more || c.decimal == 0 && e[i].ambiguous > 0
		case c.dated():
			rules, decided := e[i].dates.Rules(c.dates.Pivot)
			c.dates = rules
			o, ok := fromOrder(said)
			if !ok {
				o, ok = fromOrder(c.order)
			}
			if ok {
				c.dates.Order = o
				continue
			}
			if decided {
				continue
			}
			more = true
			if o, ok := fromOrder(remembered); ok {
				c.dates.Order = o
			} else if open < 0 {
				open = i
			}
		}
	}
	return open, more
}

func askDates(c *column, i int) *ingestv1.Question {
	all := toColumns([]column{*c}, nil)
	all[0].Index = int32(i + 1)
	return &ingestv1.Question{Code: "date-order", Message: fmt.Sprintf("The dates of column %q can be read day first and month first.", short(c.Heading)), Columns: all,
		Hint: "Say how they are written: contactmill jobs answer JOB --date-order DMY (or MDY, or YMD)."}
}

// short is a heading as a sentence shows it.
func short(s string) string {
	const most = 60
	if len(s) <= most {
		return valid(s)
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// toEvidence is the votes on dates for people.
func toEvidence(e *contact.DateEvidence) (v contact.Votes, order ingestv1.DateOrder) {
	o, decided := e.Order()
	if decided {
		order = toOrder(o)
	}
	return e.Votes(), order
}

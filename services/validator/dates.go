package validator

import (
	"fmt"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// votes is what the dates of a column say about the order of their parts.
type votes struct {
	both     int64 // can be read day first and month first
	dmy, mdy int64 // can be read one way only
	ymd      int64 // begin with the year
}

// count takes a cell into the votes.
func (v *votes) count(cell []byte) {
	if contact.Blank(cell) {
		return
	}
	reads := func(o contact.DateOrder) bool {
		_, code := contact.ParseDate(cell, contact.DateRules{Order: o, Pivot: anyPivot})
		return code == "" || code == finding.DateWithTime
	}
	if reads(contact.ISO) || reads(contact.YMD) {
		v.ymd++
		return
	}
	switch d, m := reads(contact.DMY), reads(contact.MDY); {
	case d && m:
		v.both++
	case d:
		v.dmy++
	case m:
		v.mdy++
	}
}

// dated tells whether a column holds dates.
func (c column) dated() bool {
	return c.field != contact.NoField && c.spec.Type == contact.TypeBirthDate
}

// anyPivot lets years of two digits count as evidence; rows with them are still judged by the column's rules.
const anyPivot = 50

// overwhelming is how many times more often one order must be the only one possible than the other, where both occur: the
// few are slips, which their rows are told.
const overwhelming = 20

// order is what the votes decide; undecided means that more rows or a person must say.
func (v *votes) order() (o contact.DateOrder, decided bool) {
	switch {
	case v.dmy > overwhelming*v.mdy:
		return contact.DMY, true
	case v.mdy > overwhelming*v.dmy:
		return contact.MDY, true
	case v.dmy > 0 || v.mdy > 0 || v.both > 0:
		return contact.ISO, false
	case v.ymd > 0:
		return contact.YMD, true
	}
	return contact.ISO, true
}

// poll counts the votes of a block for the date columns.
func poll(columns []column, p *sheet.Parser, b *sheet.Block, to []votes) error {
	p.Reset(b)
	for r := p.Next(); r != nil; r = p.Next() {
		if r.Code != "" && len(r.Cells) == 0 {
			continue
		}
		for i, c := range columns {
			if c.dated() && i < len(r.Cells) {
				to[i].count(r.Cells[i])
			}
		}
	}
	return p.Err()
}

// decide writes the orders into the columns. open is the first column that the votes do not decide, -1 for none.
func decide(columns []column, said ingestv1.DateOrder, v []votes) (open int) {
	open = -1
	for i := range columns {
		if !columns[i].dated() {
			continue
		}
		if o, ok := saidOrder(said); ok {
			columns[i].dates.Order = o
			continue
		}
		o, decided := v[i].order()
		columns[i].dates.Order = o
		if !decided && open < 0 {
			open = i
		}
	}
	return open
}

func saidOrder(o ingestv1.DateOrder) (contact.DateOrder, bool) {
	switch o {
	case ingestv1.DateOrder_DATE_ORDER_YMD:
		return contact.YMD, true
	case ingestv1.DateOrder_DATE_ORDER_DMY:
		return contact.DMY, true
	case ingestv1.DateOrder_DATE_ORDER_MDY:
		return contact.MDY, true
	}
	return contact.ISO, false
}

func askDates(c column) *ingestv1.Question {
	return &ingestv1.Question{Code: "date-order", Message: fmt.Sprintf("The dates of column %q can be read day first and month first.", c.heading),
		Hint: "Say how they are written: contactmill jobs answer JOB --date-order DMY (or MDY)."}
}

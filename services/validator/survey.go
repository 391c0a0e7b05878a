package validator

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

const (
	// maxDistinct bounds how many values of a column are told apart.
	maxDistinct = 1000
	// mostSamples of a column are shown.
	mostSamples = 5
	// maxVoted bounds how many cells are tried as every kind of value, which is the dear part, and maxVotedBytes which.
	maxVoted      = 12_000
	maxVotedBytes = 256
)

// survey is what the columns hold, for a person to see whether they are mapped as meant.
type survey struct {
	seen  []surveyed
	rows  int64
	voted int // cells
	buf   []byte
}

type surveyed struct {
	filled   int64
	distinct map[string]struct{}
	samples  []string
	votes    map[string]int64
}

func newSurvey(columns []column) *survey {
	s := &survey{seen: make([]surveyed, len(columns))}
	for i := range s.seen {
		s.seen[i] = surveyed{distinct: map[string]struct{}{}, votes: map[string]int64{}}
	}
	return s
}

// look counts a row in.
func (s *survey) look(n *contact.Normaliser, p *plan, columns []column, r *sheet.Record) {
	s.rows++
	vote := s.voted < maxVoted
	for i := range columns {
		if i >= len(r.Cells) {
			break
		}
		cell := bytes.TrimSpace(r.Cells[i])
		if len(cell) == 0 {
			continue
		}
		c := &s.seen[i]
		c.filled++
		if _, ok := c.distinct[string(cell)]; !ok && len(c.distinct) < maxDistinct {
			c.distinct[string(cell)] = struct{}{}
			if len(c.samples) < mostSamples {
				shown := cell
				if columns[i].spec.Secret {
					shown = columns[i].masked(cell)
				}
				c.samples = append(c.samples, shorten(shown))
			}
		}
		if vote {
			s.voted++
			s.vote(n, p, c.votes, cell)
		}
	}
}

// vote tries a cell as every kind of value.
func (s *survey) vote(n *contact.Normaliser, p *plan, votes map[string]int64, cell []byte) {
	text := true
	count := func(kind string, code contact.Code) {
		if !code.Failed() {
			votes[kind]++
			text = false
		}
	}
	if len(cell) <= maxVotedBytes {
		var code contact.Code
		if bytes.IndexByte(cell, '@') > 0 {
			_, code = contact.AppendEmail(s.buf[:0], cell)
			count("email", code)
		}
		_, code = n.Phones.Append(s.buf[:0], cell, p.home)
		count("phone", code)
		_, code = contact.ParseDate(cell, contact.DateRules{Order: contact.DMY, Pivot: 50})
		if code.Failed() {
			_, code = contact.ParseDate(cell, contact.DateRules{Order: contact.MDY, Pivot: 50})
		}
		count("date", code)
		if _, code = contact.AppendNumber(s.buf[:0], cell, '.'); code.Failed() {
			_, code = contact.AppendNumber(s.buf[:0], cell, ',')
		}
		count("number", code)
		_, code = contact.AppendBoolean(s.buf[:0], cell)
		count("boolean", code)
		_, code = contact.AppendZip(s.buf[:0], cell, p.home)
		count("zip", code)
		_, code = n.Countries.Append(s.buf[:0], cell)
		count("country", code)
		_, code = contact.AppendVAT(s.buf[:0], cell, p.home)
		count("vat_number", code)
		_, code = contact.AppendSSN(s.buf[:0], cell)
		count("ssn", code)
	}
	if text {
		votes["text"]++
	}
}

// columns is what was seen of them. e is nil where no row was.
func (s *survey) columns(columns []column, e evidence) []*validatorv1.InspectedColumn {
	out := make([]*validatorv1.InspectedColumn, len(columns))
	for i := range columns {
		c, seen := &columns[i], &s.seen[i]
		out[i] = &validatorv1.InspectedColumn{Index: int32(i + 1), Heading: valid(c.Heading), Field: c.spec.Name, Confidence: c.Confidence, How: string(c.How),
			Distinct: int64(len(seen.distinct)), Samples: seen.samples, Votes: seen.votes}
		if s.rows > 0 {
			out[i].FillRate = float64(seen.filled) / float64(s.rows)
		}
		if c.dated() && e != nil && seen.filled > 0 {
			v, order := toEvidence(&e[i].dates)
			out[i].Dates = &validatorv1.DateEvidence{Ymd: v.YMD, Dmy: v.DMY, Mdy: v.MDY, Both: v.Both, Order: order}
		}
	}
	return out
}

// shownRow is the row that was taken last as a person sees it; secret values are covered already.
func (w *worker) shownRow() *validatorv1.InspectedRow {
	out := &validatorv1.InspectedRow{Line: w.row.Line, Invalid: w.row.Invalid, Values: map[string]string{}}
	for i, v := range w.row.Values {
		name := w.columns[w.mapped[i]].spec.Name
		switch v.Kind {
		case row.AsCell, row.AsText:
			out.Values[name] = shorten(v.Text)
		case row.Unset:
			out.Values[name] = string(unset)
		}
	}
	for _, f := range w.row.Findings {
		shown := &validatorv1.InspectedFinding{Code: f.Code, Value: f.Value, Repaired: f.Repaired, Warning: f.Warning}
		if f.Column >= 0 && f.Column < len(w.columns) {
			shown.Column = short(w.columns[f.Column].Heading)
		}
		if e, ok := finding.Code(f.Code).Entry(); ok {
			shown.Message, shown.Hint = e.Text, e.Hint
		}
		out.Findings = append(out.Findings, shown)
	}
	return out
}

func sizeOf(r *validatorv1.InspectedRow) int { return proto.Size(r) }

package validator

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
)

// unset in a cell clears its field.
var unset = []byte("UNSET")

// plan is how the rows of a job are read; workers share it.
type plan struct {
	account, job uuid.UUID
	columns      []column
	header       row.Header
	mapped       []int // columns with a field
	required     []need
	country      int  // in mapped: the column that says the row's country; -1 for none
	secret       bool // some column is
	mode         row.Mode
	by           keyChoice
	drop         bool // a bad cell is dropped with a warning
	home         contact.Country
	today        contact.Date

	correction *correction // nil where the file is no corrected report
	origins    []int       // the column of the first file that each column was; -1 for none
}

// need is a field without whose value a row is INVALID.
type need struct {
	name string
	at   int // in mapped; -1 if no column has it
}

// newPlan makes a plan of mapped columns; mode, keys and policies are the caller's to set.
func newPlan(account, job uuid.UUID, schema *contact.Schema, columns []column) *plan {
	p := &plan{account: account, job: job, columns: columns, header: header(columns), country: -1}
	p.mapped = p.header.Mapped()
	for i, col := range p.mapped {
		p.secret = p.secret || columns[col].spec.Secret
		if columns[col].Field == contact.FieldCountry {
			p.country = i
		}
	}
	for _, spec := range schema.Own() {
		if spec.Required {
			p.required = append(p.required, need{spec.Name, slices.IndexFunc(p.mapped, func(col int) bool { return columns[col].Field == spec.Number })})
		}
	}
	return p
}

// worker reads blocks into chunks. It belongs to one goroutine and reuses all it has.
type worker struct {
	*plan
	parser     *sheet.Parser
	normaliser *contact.Normaliser
	seal       *keyring.Keyring // nil: nothing is kept, so secret values are masked
	hasher     *keyring.Hasher  // nil likewise: which keys a row has is all that counts

	cellsOut, keysOut bytes.Buffer
	cellsWriter       *row.CellsWriter
	keysWriter        *row.KeysWriter
	text              []byte // normalised values of the row
	spans             []span // of the values in text, parallel to mapped
	row               row.Cells
	key               row.Keys
	fold              []byte
	tally

	originals *originalReader // of the job that is corrected; nil where its rows are not to be had
	was       *original       // the row that this one was; nil for none
	restored  []restored
}

// span is where a value stands in the text.
type span struct {
	kind row.ValueKind
	a, z int
}

// read turns a block, with a row before it if that is not nil, into the contents of its two objects, which are valid until
// the next call.
func (w *worker) read(before *sheet.Record, b *sheet.Block) (cells, keys []byte, err error) {
	w.cellsOut.Reset()
	w.keysOut.Reset()
	filled, unknown := w.filled, w.unknown
	clear(filled)
	clear(unknown)
	w.tally = tally{filled: filled, unknown: unknown}
	cw, kw, err := w.writers()
	if err != nil {
		return nil, nil, fmt.Errorf("write rows: %w", err)
	}
	w.parser.Reset(b)
	r := before
	if r == nil {
		r = w.parser.Next()
	}
	for ; r != nil; r = w.parser.Next() {
		if err := w.take(r); err != nil {
			return nil, nil, err
		}
		w.rows++
		if w.row.Invalid {
			w.invalid++
		}
		if err := cw.Append(&w.row); err != nil {
			return nil, nil, fmt.Errorf("write rows: %w", err)
		}
		if err := kw.Append(&w.key); err != nil {
			return nil, nil, fmt.Errorf("write keys: %w", err)
		}
	}
	w.blank = w.parser.Blank()
	if err := w.parser.Err(); err != nil {
		return nil, nil, err
	}
	if err := cw.Close(); err != nil {
		return nil, nil, fmt.Errorf("write rows: %w", err)
	}
	if err := kw.Close(); err != nil {
		return nil, nil, fmt.Errorf("write keys: %w", err)
	}
	return w.cellsOut.Bytes(), w.keysOut.Bytes(), nil
}

// writers begin the two objects.
func (w *worker) writers() (*row.CellsWriter, *row.KeysWriter, error) {
	if w.cellsWriter == nil {
		var err error
		w.keysWriter = row.NewKeysWriter(&w.keysOut)
		w.cellsWriter, err = row.NewCellsWriter(&w.cellsOut, w.header)
		return w.cellsWriter, w.keysWriter, err
	}
	w.keysWriter.Reset(&w.keysOut)
	return w.cellsWriter, w.keysWriter, w.cellsWriter.Reset(&w.cellsOut)
}

// take reads one record into the row and its key.
func (w *worker) take(r *sheet.Record) error {
	w.row = row.Cells{Line: r.Line, Findings: w.row.Findings[:0], Cells: w.row.Cells[:0], Values: w.row.Values[:0], Secrets: w.row.Secrets[:0]}
	w.key.Line, w.key.Invalid, w.key.Mask = r.Line, false, 0
	if r.Warning != "" {
		w.find(string(r.Warning), -1, true, "")
	}
	if r.Code != "" {
		w.refuse(r)
		return nil
	}
	w.row.Cells = append(w.row.Cells, r.Cells...)
	for i, cell := range r.Cells {
		if len(cell) > 0 {
			w.filled[i]++
		}
	}
	if w.correction != nil {
		if err := w.recall(r.Kinds); err != nil {
			return err
		}
	}
	w.text, w.spans = w.text[:0], w.spans[:0]
	for range w.mapped {
		w.spans = append(w.spans, span{})
	}
	rules := contact.Rules{Country: w.home, Today: w.today}
	if w.country >= 0 {
		if err := w.normalise(w.country, r.Kinds, rules); err != nil {
			return err
		}
		if s := w.spans[w.country]; s.kind == row.AsCell || s.kind == row.AsText {
			rules.Country = contact.CountryByCode(string(w.text[s.a:s.z]))
		}
	}
	for i := range w.mapped {
		if i == w.country {
			continue
		}
		if err := w.normalise(i, r.Kinds, rules); err != nil {
			return err
		}
	}
	w.require()
	w.recognise()
	if !w.by.has(w.key.Mask) && !w.row.Invalid {
		w.keyless()
	}
	if w.row.Invalid {
		w.key.Invalid, w.key.Mask = true, 0
		if err := w.secrets(); err != nil {
			return err
		}
	} else if err := w.values(); err != nil {
		return err
	}
	w.tally.keys |= w.key.Mask
	w.mask()
	return nil
}

// normalise reads the cell of a mapped column into the text.
func (w *worker) normalise(i int, kinds []sheet.Kind, rules contact.Rules) error {
	col := w.mapped[i]
	c := &w.columns[col]
	if col >= len(w.row.Cells) {
		return nil
	}
	if kinds != nil {
		switch kinds[col] {
		case sheet.Number:
			rules.Cell = contact.CellNumber
		case sheet.Rounded:
			rules.Cell = contact.CellRounded
		case sheet.Date:
			rules.Cell = contact.CellDate
		case sheet.Bool:
			rules.Cell = contact.CellBool
		case sheet.NoValue:
			w.bad(col, finding.FormulaWithoutValue, "")
			return nil
		}
	}
	cell := sheet.Strip(w.row.Cells[col])
	if len(cell) == 0 {
		return nil
	}
	if bytes.Equal(cell, unset) {
		w.spans[i].kind = row.Unset
		return nil
	}
	if c.spec.Secret {
		if masked := bytes.TrimSpace(cell); c.isMasked(masked) {
			return w.reveal(i, masked)
		}
	}
	if c.values != nil {
		if cell = c.meant(cell); len(cell) == 0 {
			return nil
		}
	}
	rules.Dates, rules.Decimal = c.dates, c.decimal
	a := len(w.text)
	text, code := w.normaliser.AppendSpec(w.text, &c.spec, cell, rules)
	w.text = text
	if code != "" {
		if code.Failed() {
			w.text = w.text[:a]
			if code == finding.CodeUnknown {
				w.unknown.gather(w.normaliser, c, col, cell, w.row.Line)
			}
			w.bad(col, code, w.shown(col, w.row.Cells[col]))
			return nil
		}
		w.find(string(code), col, true, w.shown(col, w.row.Cells[col]))
		if code.Repaired() {
			w.row.Findings[len(w.row.Findings)-1].Repaired = w.shown(col, w.text[a:])
		}
	}
	if len(w.text) == a {
		return nil // blank
	}
	kind := row.AsText
	if bytes.Equal(w.text[a:], w.row.Cells[col]) {
		kind = row.AsCell
	}
	w.spans[i] = span{kind, a, len(w.text)}
	return nil
}

// reveal reads a masked cell as the value that it stands for.
func (w *worker) reveal(i int, cell []byte) error {
	a := len(w.text)
	kind, found, err := w.unmask(w.mapped[i], cell)
	if err != nil {
		return err
	}
	if !found {
		w.bad(w.mapped[i], finding.MaskedLost, w.shown(w.mapped[i], cell))
		return nil
	}
	w.spans[i] = span{kind, a, len(w.text)}
	return nil
}

// recognise hashes the row's keys.
func (w *worker) recognise() {
	var first, last, birth, zip []byte
	for i, col := range w.mapped {
		s := w.spans[i]
		if s.kind != row.AsCell && s.kind != row.AsText {
			continue
		}
		value := w.text[s.a:s.z]
		switch w.columns[col].Field {
		case contact.FieldFirstName:
			first = value
		case contact.FieldLastName:
			last = value
		case contact.FieldBirthDate:
			birth = value
		case contact.FieldZip:
			zip = value
		}
		switch k := w.columns[col].spec.Key; k {
		case contact.NoKey:
		case contact.ContactID:
			if id, err := uuid.ParseBytes(value); err == nil { // it has been checked
				w.set(k, id)
			}
		default:
			w.know(k, value)
		}
	}
	if len(first) == 0 || len(last) == 0 || len(birth) == 0 || len(zip) == 0 {
		return
	}
	d, code := contact.ParseDate(birth, contact.DateRules{Order: contact.ISO})
	if code != "" {
		return
	}
	var ok bool
	if w.fold, ok = contact.AppendNameBirthZip(w.fold[:0], first, last, d, zip); ok {
		w.know(contact.NameBirthZip, w.fold)
	}
}

// know notes that the row has a key, with its hash.
func (w *worker) know(k contact.Key, value []byte) {
	if w.hasher == nil {
		w.key.Mask |= 1 << k
		return
	}
	w.set(k, w.hasher.Hash(w.account, uint8(k), value))
}

func (w *worker) set(k contact.Key, hash [16]byte) {
	w.key.Mask |= 1 << k
	w.key.Hash[k] = hash
}

package validator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/contactmill/contactmill/pkg/stage"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// groupBytes is how many rows are found at once: one group for each so many bytes is remembered, so that even a file of
// gigabytes takes a few megabytes of memory.
const groupBytes = 16 << 10

// original is a row of the job whose report is corrected. It is valid until the next one is looked for.
type original struct {
	line    int64
	cells   [][]byte
	bad     []int       // columns that were found bad
	secrets []row.Value // sealed for that job and line; by the mapped secret columns
}

// isBad tells whether the job found the cell bad.
func (o *original) isBad(col int) bool { return slices.Contains(o.bad, col) }

// originals are the rows of that job, on disk as its chunks are: secret cells masked, their values sealed.
type originals struct {
	job     uuid.UUID
	header  row.Header
	secrets map[string]secretAt             // by secret field
	numbers map[int]*contact.NumberEvidence // of columns of numbers

	spool sheet.Spool
	lines []int64 // the first of each group
	at    []int64 // where each group begins, and where the last one ends
}

// secretAt is where the values of a secret field are.
type secretAt struct {
	col int // among the cells, masked
	n   int // among the secret values
}

// newOriginals reads the chunks of a job once.
func (s *Service) newOriginals(ctx context.Context, account, job uuid.UUID, schema *contact.Schema, chunks []*ingestv1.Chunk, progress func(rows int64)) (_ *originals, err error) {
	o := &originals{job: job, secrets: map[string]secretAt{}, numbers: map[int]*contact.NumberEvidence{}}
	if o.spool, err = newSpool(s.cfg.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.spool.Close())
		}
	}()
	w := &originalsWriter{originals: o}
	for _, c := range chunks {
		if err := w.chunk(ctx, s.blob, blob.JobPrefix(account, job), c, schema); err != nil {
			return nil, fmt.Errorf("read rows of the job that is corrected: %w", err)
		}
		progress(w.rows)
	}
	return o, w.flush()
}

func (o *originals) close() error { return o.spool.Close() }

// begin notes what the columns are; every chunk says the same.
func (o *originals) begin(h row.Header, schema *contact.Schema) {
	o.header = h
	for _, col := range h.Mapped() {
		c := &h.Columns[col]
		if c.Secret {
			o.secrets[c.Field] = secretAt{col, len(o.secrets)}
		}
		if f, ok := schema.Field(c.Field); ok {
			if spec, _ := schema.Spec(f); spec.Type == contact.TypeNumber {
				o.numbers[col] = &contact.NumberEvidence{}
			}
		}
	}
}

type originalsWriter struct {
	*originals
	rows   int64
	group  []byte
	offset int64
}

func (w *originalsWriter) chunk(ctx context.Context, store *blob.Store, prefix string, c *ingestv1.Chunk, schema *contact.Schema) error {
	object, err := stage.FromObject(prefix, c.GetCells())
	if err != nil {
		return err
	}
	raw, err := store.ReadVerified(ctx, object)
	if err != nil {
		return err
	}
	defer raw.Close()
	cells, err := row.NewCellsReader(raw)
	if err != nil {
		return broken(err)
	}
	if w.header.Columns == nil {
		w.begin(cells.Header, schema)
	}
	var secret []int // positions among the values
	for i, col := range cells.Header.Mapped() {
		if cells.Header.Columns[col].Secret {
			secret = append(secret, i)
		}
	}
	for {
		r, err := cells.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if err := w.add(r, secret); err != nil {
			return err
		}
	}
}

// broken gives a chunk that cannot be read its kind; one that could not be fetched has one already.
func broken(err error) error {
	if fault.Of(err) != fault.Internal {
		return err
	}
	return fault.Wrap(fault.DataLoss, "object-broken", err, "a stored object of the job cannot be read")
}

func (w *originalsWriter) add(r *row.Cells, secret []int) error {
	w.rows++
	if len(w.group) == 0 {
		w.lines, w.at = append(w.lines, r.Line), append(w.at, w.offset)
	}
	b := binary.AppendUvarint(w.group, uint64(r.Line))
	b = binary.AppendUvarint(b, uint64(len(r.Cells)))
	for i, cell := range r.Cells {
		b = appendBytes(b, cell)
		if e := w.numbers[i]; e != nil {
			e.Add(cell)
		}
	}
	at := len(b)
	b = append(b, 0)
	for _, f := range r.Findings {
		if f.Column >= 0 && finding.Code(f.Code).Failed() && b[at] < 255 {
			b = binary.AppendUvarint(b, uint64(f.Column))
			b[at]++
		}
	}
	for n, i := range secret {
		var v row.Value
		switch {
		case !r.Invalid:
			v = r.Values[i]
		case n < len(r.Secrets):
			v = r.Secrets[n]
		}
		b = append(b, byte(v.Kind))
		b = appendBytes(b, v.Text)
	}
	if w.group = b; len(b) >= groupBytes {
		return w.flush()
	}
	return nil
}

func (w *originalsWriter) flush() error {
	if _, err := w.spool.Write(w.group); err != nil {
		return fmt.Errorf("keep rows of the job that is corrected: %w", err)
	}
	w.offset += int64(len(w.group))
	w.group = w.group[:0]
	w.at = append(w.at[:len(w.lines)], w.offset)
	return nil
}

func appendBytes(b, v []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(v))), v...) }

// originalReader finds rows. It belongs to one goroutine.
type originalReader struct {
	*originals
	group int // the one in room; -1 for none
	room  []byte
	rest  []byte // of it, behind the last row that was read
	last  original
}

func (o *originals) reader() *originalReader { return &originalReader{originals: o, group: -1} }

// find returns the row of a line, nil if there is none.
func (r *originalReader) find(line int64) (*original, error) {
	g := sort.Search(len(r.lines), func(i int) bool { return r.lines[i] > line }) - 1
	if g < 0 {
		return nil, nil
	}
	if g != r.group {
		r.room = slices.Grow(r.room[:0], int(r.at[g+1]-r.at[g]))[:r.at[g+1]-r.at[g]]
		if _, err := r.spool.ReadAt(r.room, r.at[g]); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read a row of the job that is corrected: %w", err)
		}
		r.group, r.rest = g, r.room
	} else if line <= r.last.line {
		r.rest = r.room
	}
	for len(r.rest) > 0 {
		if err := r.next(); err != nil {
			return nil, err
		}
		if r.last.line == line {
			return &r.last, nil
		}
		if r.last.line > line {
			return nil, nil
		}
	}
	return nil, nil
}

// next reads the next row of the group.
func (r *originalReader) next() error {
	bad := false
	uvarint := func() uint64 {
		n, size := binary.Uvarint(r.rest)
		if size <= 0 {
			bad, r.rest = true, nil
			return 0
		}
		r.rest = r.rest[size:]
		return n
	}
	text := func() []byte {
		n := uvarint()
		if n > uint64(len(r.rest)) {
			bad, r.rest = true, nil
			return nil
		}
		v := r.rest[:n:n]
		r.rest = r.rest[n:]
		return v
	}
	o := &r.last
	o.line, o.cells, o.bad, o.secrets = int64(uvarint()), o.cells[:0], o.bad[:0], o.secrets[:0]
	for n := uvarint(); n > 0 && !bad; n-- {
		o.cells = append(o.cells, text())
	}
	if bad || len(r.rest) == 0 {
		return errSpool
	}
	n := r.rest[0]
	r.rest = r.rest[1:]
	for ; n > 0 && !bad; n-- {
		o.bad = append(o.bad, int(uvarint()))
	}
	for range len(r.secrets) {
		v := row.Value{Kind: row.ValueKind(uvarint())} // a kind is a byte below 128
		v.Text = text()
		o.secrets = append(o.secrets, v)
	}
	if bad {
		return errSpool
	}
	return nil
}

// errSpool is a temporary file that does not hold what was written to it.
var errSpool = fault.New(fault.Internal, "spool-broken", "a temporary file cannot be read again")

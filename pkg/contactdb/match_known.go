package contactdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
)

const (
	// knownFrom is the number of rows from which findKnown costs less than it may save.
	knownFrom = 2000

	// sampleStep is how many rows there are for one that is looked at beforehand.
	sampleStep = 64

	// loose is how many ids there may be in a span for one that is asked. To read a contact in the order of the ids costs
	// about a tenth of looking up a key.
	loose = 4

	// spanIDs is how many ids a span has at most, and shareSpans the number of spans from which two connections are faster.
	spanIDs    = 1024
	shareSpans = 8
)

// span is all ids from the first to the last.
type span struct{ first, last uuid.UUID }

// findKnown finds most rows of a batch of known ones by few look-ups, and closes the keys of which it knows whom they find.
// It may leave any open. A look-up of a key goes through the index from its root to one of as many places as there are
// keys; but a contact has the hashes of all its keys, and most often contacts that came in one file are found by rows that
// come in one batch. Their ids are one next to the other, so that they lie together:
//
//   - a sample of the rows is looked up. Where fewer than half of it are known, that is all;
//   - where those ids are close to each other, all contacts between them are read, and met by the rows that have their keys;
//   - of rows that met nobody, one key is looked up. What other keys they have is found in the contacts that this finds.
func (m *Matching) findKnown(ctx context.Context, b *Batch) error {
	sampled, err := m.findFirst(ctx, b, m.sampleStep)
	if err != nil {
		return err
	}
	m.ids = m.ids[:0]
	for row := 0; row < b.Rows; row += m.sampleStep {
		m.addIDs(b, row)
	}
	if len(m.ids)*2 < sampled || sampled == 0 {
		return nil
	}
	m.wants.fill(b)
	sortIDs(&m.ids)
	m.spans = appendSpans(m.spans[:0], m.ids, uint64(m.sampleStep))
	if err := m.read(ctx, len(m.spans), shareSpans, m.readSpans); err != nil {
		return err
	}
	if _, err := m.findFirst(ctx, b, 1); err != nil {
		return err
	}
	m.ids = m.ids[:0]
	for row, open := range m.open {
		if open != 0 || m.unknown(row) {
			m.addIDs(b, row)
			m.open[row] &^= 1 << contact.ContactID // it is asked now
		}
	}
	sortIDs(&m.ids)
	return m.read(ctx, len(m.ids), shareFrom, m.readIDs)
}

// findFirst looks up the first open key of every step-th row, if it has no hit. It returns the number of rows that it looked at,
// with those that have a contact id, which needs no look-up.
func (m *Matching) findFirst(ctx context.Context, b *Batch, step int) (rows int, err error) {
	m.asked = m.asked[:0]
	for row := 0; row < b.Rows; row += step {
		open := m.open[row]
		if open == 0 || m.head[row] != end {
			continue
		}
		rows++
		if key := contact.Key(bits.TrailingZeros16(open)); key != contact.ContactID {
			m.ask(row, key, b.Keys[key][16*row:])
		}
	}
	return rows, m.findAsked(ctx, b)
}

// addIDs adds the contacts that a row hits, and the one that it names.
func (m *Matching) addIDs(b *Batch, row int) {
	for i := m.head[row]; i != end; i = m.hits[i].next {
		m.ids = append(m.ids, m.hits[i].contact)
	}
	if m.open[row]>>contact.ContactID&1 == 1 {
		m.ids = append(m.ids, uuid.UUID(b.Keys[contact.ContactID][16*row:]))
	}
}

// unknown tells whether the external id of a contact that the row hits is not known.
func (m *Matching) unknown(row int) bool {
	for i := m.head[row]; i != end; i = m.hits[i].next {
		if !m.hits[i].known {
			return true
		}
	}
	return false
}

// sortIDs puts ids in order, each once.
func sortIDs(ids *[]uuid.UUID) {
	slices.SortFunc(*ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	*ids = slices.Compact(*ids)
}

// appendSpans appends the spans in which ids lie close to each other, a bit wider than they are: ids is a sample, in order and
// each once, of one in so many as step says. There are at most twice loose times step ids in the spans for each in the sample.
func appendSpans(dst []span, ids []uuid.UUID, step uint64) []span {
	const few = 4 // that so many are close to each other by chance is rare
	for len(ids) > 0 {
		high, from := halves(ids[0])
		to, n := from, 1
		for ; n < len(ids); n++ {
			h, l := halves(ids[n])
			if h != high || l-to > loose*step {
				break
			}
			to = l
		}
		ids = ids[n:]
		if n < few {
			continue
		}
		from -= min(from, step)
		to += min(math.MaxUint64-to, step)
		for ; to-from >= spanIDs; from += spanIDs {
			dst = append(dst, span{joined(high, from), joined(high, from+spanIDs-1)})
		}
		dst = append(dst, span{joined(high, from), joined(high, to)})
	}
	return dst
}

func halves(id uuid.UUID) (high, low uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}

func joined(high, low uint64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

// read has n things read, and notes whom the rows of the batch met by their keys.
func (m *Matching) read(ctx context.Context, n, worth int, fn func(ctx context.Context, s *side, conn *pgx.Conn, from, to int) error) error {
	if n == 0 {
		return nil
	}
	cut, err := m.share(ctx, n, worth, func(s *side, conn *pgx.Conn, from, to int) error { return fn(ctx, s, conn, from, to) })
	if err != nil {
		return err
	}
	sides := m.sides[:]
	if cut == n {
		sides = sides[:1]
	}
	for i := range sides {
		s := &sides[i]
		for _, by := range s.by {
			w, c := &m.wants.all[by.want], &s.met[by.met]
			h := m.hit(w.row, c.id)
			h.keys |= 1 << w.key
			h.known, h.external = true, c.external
			m.open[w.row] &^= 1 << w.key
		}
	}
	return nil
}

func (m *Matching) readSpans(ctx context.Context, s *side, conn *pgx.Conn, from, to int) error {
	s.array, s.last = newArray(s.array), newArray(s.last)
	for i := range m.spans[from:to] {
		s.array, s.last = appendID(s.array, m.spans[from+i].first[:]), appendID(s.last, m.spans[from+i].last[:])
	}
	endArray(s.array)
	endArray(s.last)
	return s.meet(ctx, conn, &m.wants, "match_spans", m.sql.MatchSpans, m.account[:], s.array, s.last)
}

func (m *Matching) readIDs(ctx context.Context, s *side, conn *pgx.Conn, from, to int) error {
	s.array = newArray(s.array)
	for i := range m.ids[from:to] {
		s.array = appendID(s.array, m.ids[from+i][:])
	}
	endArray(s.array)
	return s.meet(ctx, conn, &m.wants, "match_hashes", m.sql.MatchHashes, m.account[:], s.array)
}

// met is a contact that rows met.
type met struct {
	id       uuid.UUID
	external [16]byte
}

// meeting is by which key of which row: the numbers of a want and of a contact.
type meeting struct{ want, met int32 }

// meet reads contacts, by statements with the columns of match_hashes.sql, and keeps those that are wanted.
func (s *side) meet(ctx context.Context, conn *pgx.Conn, w *wants, name, sql string, parameters ...[]byte) error {
	s.met, s.by = s.met[:0], s.by[:0]
	answer, err := execute(ctx, conn, name, sql, parameters...)
	if err != nil {
		return err
	}
	for answer.NextRow() {
		columns := answer.Values()
		before := len(s.by)
		for i, column := range columns {
			if column == nil {
				continue
			}
			for n := w.find(column); n != end; n = w.all[n].next {
				if (w.all[n].key == contact.ContactID) == (i == 0) {
					s.by = append(s.by, meeting{n, int32(len(s.met))})
				}
			}
		}
		if len(s.by) > before {
			c := met{id: uuid.UUID(columns[0])}
			copy(c.external[:], columns[1])
			s.met = append(s.met, c)
		}
	}
	_, err = answer.Close()
	return err
}

// wants is the unique keys of a batch's rows, to be found by what they are. Several goroutines may find.
type wants struct {
	batch *Batch
	all   []want
	slots []int32 // the first want of a hash, or end; a power of two of them, not half of them used
	seed  maphash.Seed
}

type want struct {
	next int32 // wants the same; end after the last
	row  int32
	key  contact.Key
}

func (w *wants) fill(b *Batch) {
	if w.batch == nil {
		w.seed = maphash.MakeSeed() // contact ids are what a file says: nobody shall choose them so that they collide
	}
	w.batch, w.all = b, w.all[:0]
	b.each(func(row int, key contact.Key, _ []byte) { w.all = append(w.all, want{end, int32(row), key}) })
	size := 1 << bits.Len(uint(2*len(w.all)))
	w.slots = slices.Grow(w.slots[:0], size)[:size]
	for i := range w.slots {
		w.slots[i] = end
	}
	for n := range w.all {
		slot := w.slot(w.id(int32(n)))
		w.all[n].next, *slot = *slot, int32(n)
	}
}

// find returns the first want of an id, or end.
func (w *wants) find(id []byte) int32 { return *w.slot(id) }

// slot is where the first want of an id is or would be.
func (w *wants) slot(id []byte) *int32 {
	mask := uint64(len(w.slots) - 1)
	for i := maphash.Bytes(w.seed, id) & mask; ; i = (i + 1) & mask {
		if n := w.slots[i]; n == end || bytes.Equal(w.id(n), id) {
			return &w.slots[i]
		}
	}
}

func (w *wants) id(n int32) []byte {
	return w.batch.Keys[w.all[n].key][16*int(w.all[n].row):][:16]
}

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
	sampleStep = 256

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
// keys; but a contact has the hashes of all its keys, and contacts that came in one file are most often found by rows that
// come in one batch. Their ids are one next to the other, so that they lie together: one key of each row of a sample is
// looked up, and where the ids that it finds are close to each other, all contacts between them are read, and met by the
// rows that have their keys. Where they are not, to read contacts costs as much as to look up all keys.
func (m *Matching) findKnown(ctx context.Context, b *Batch) error {
	m.asked, m.ids = m.asked[:0], m.ids[:0]
	for row := 0; row < b.Rows; row += m.sampleStep {
		if open := m.open[row]; open>>contact.ContactID&1 == 1 {
			m.ids = append(m.ids, uuid.UUID(b.Keys[contact.ContactID][16*row:]))
		} else if open != 0 {
			key := contact.Key(bits.TrailingZeros16(open))
			m.ask(row, key, b.Keys[key][16*row:])
		}
	}
	if err := m.findAsked(ctx, b); err != nil {
		return err
	}
	for i := range m.hits {
		m.ids = append(m.ids, m.hits[i].contact)
	}
	sortIDs(&m.ids)
	m.spans = appendSpans(m.spans[:0], m.ids, uint64(m.sampleStep))
	if len(m.spans) == 0 {
		return nil
	}
	m.wants.fill(b)
	return m.readSpans(ctx)
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

// readSpans reads the contacts in the spans, and notes whom the rows of the batch met by their keys.
func (m *Matching) readSpans(ctx context.Context) error {
	cut, err := m.share(ctx, len(m.spans), shareSpans, func(s *side, conn *pgx.Conn, from, to int) error {
		return s.meet(ctx, conn, m.account, m.sql.MatchSpans, m.spans[from:to], &m.wants)
	})
	if err != nil {
		return err
	}
	sides := m.sides[:]
	if cut == len(m.spans) {
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

// met is a contact that rows met.
type met struct {
	id       uuid.UUID
	external [16]byte
}

// meeting is by which key of which row: the numbers of a want and of a contact.
type meeting struct{ want, met int32 }

// meet reads the contacts in spans and keeps those that are wanted.
func (s *side) meet(ctx context.Context, conn *pgx.Conn, account uuid.UUID, sql string, spans []span, w *wants) error {
	s.met, s.by = s.met[:0], s.by[:0]
	s.array, s.last = newArray(s.array), newArray(s.last)
	for i := range spans {
		s.array, s.last = appendID(s.array, spans[i].first[:]), appendID(s.last, spans[i].last[:])
	}
	endArray(s.array)
	endArray(s.last)
	answer, err := execute(ctx, conn, "match_spans", sql, account[:], s.array, s.last)
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

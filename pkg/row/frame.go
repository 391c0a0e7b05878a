package row

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// The kinds of object; each is the fourth byte of its objects.
const (
	kindCells    = 'c'
	kindKeys     = 'k'
	kindVerdicts = 'v'
	kindFacts    = 'f'
	kindOutcomes = 'o'
)

// versions are those that writers write. An object of an older one is read too: what it can hold is a part of what a newer
// one can.
var versions = map[byte]byte{
	kindCells:    3, // from 2 on what a value was repaired to; from 3 on secret values of INVALID rows
	kindKeys:     2, // from 2 on keys beyond the eighth
	kindVerdicts: 2, // likewise
	kindFacts:    1,
	kindOutcomes: 3, // from 2 on values that were kept, and lines; from 3 on effects
}

const (
	// maxRecord bounds one record: a row's cells (1 MiB at most) and values, and room for findings.
	maxRecord = 4 << 20

	// blockSize is how much an S2 block holds before it is packed, and with it a large object's writer's and reader's memory.
	blockSize = 256 << 10

	// smallBlock is the least that a writer packs by, and what a reader begins with: most objects are small.
	smallBlock = 16 << 10

	// peekSize is how much of what a reader unpacked is looked at; longer records are copied.
	peekSize = 32 << 10
)

// ErrFormat is wrapped by every error about bytes that are no such object.
var ErrFormat = errors.New("not such an object, or damaged")

// writer frames records.
type writer struct {
	dst     io.Writer
	s2      *s2.Writer // nil before the first block
	block   int        // that s2 has room for
	buf     []byte
	rows    int64
	version byte
	err     error
}

func newWriter(w io.Writer, kind byte) *writer { return newWriterOf(w, kind, versions[kind]) }

// newWriterOf writes an older version, where the object has nothing that needs the newest: programs from before it read on.
func newWriterOf(w io.Writer, kind, version byte) *writer {
	f := &writer{version: version}
	f.reset(w, kind)
	return f
}

// reset begins another object with the memory of the last one.
func (f *writer) reset(w io.Writer, kind byte) {
	f.dst, f.buf, f.rows = w, f.buf[:0], 0
	_, f.err = w.Write([]byte{'C', 'M', 'R', kind, f.version})
	if f.s2 != nil {
		f.s2.Reset(w)
	}
}

// begin returns a slice to append one record to; end takes it back.
func (f *writer) begin() []byte { return append(f.buf, 0, 0, 0, 0) }

func (f *writer) end(b []byte) error {
	if f.err != nil {
		return f.err
	}
	n := len(b) - len(f.buf) - 4
	if n+1 > maxRecord {
		f.err = fmt.Errorf("record of %d bytes: the most is %d", n, maxRecord)
		return f.err
	}
	binary.LittleEndian.PutUint32(b[len(f.buf):], uint32(n+1))
	f.buf = b
	f.rows++
	if len(f.buf) >= blockSize {
		f.flush()
	}
	return f.err
}

func (f *writer) flush() {
	if f.err == nil {
		f.pack(min(max(len(f.buf), smallBlock), blockSize))
		_, f.err = f.s2.Write(f.buf)
	}
	f.buf = f.buf[:0]
}

// pack sees to it that there is a packer with room for so much. The first block of an object decides: what was packed stays.
func (f *writer) pack(room int) {
	if room <= f.block {
		return
	}
	f.s2, f.block = s2.NewWriter(f.dst, s2.WriterConcurrency(1), s2.WriterBlockSize(room)), room
}

// close writes the end; the object is whole only if it returns nil.
func (f *writer) close() error {
	f.buf = binary.LittleEndian.AppendUint32(f.buf, 0)
	f.buf = binary.LittleEndian.AppendUint64(f.buf, uint64(f.rows))
	f.flush()
	if err := f.s2.Close(); f.err == nil {
		f.err = err
	}
	return f.err
}

// reader takes records apart again.
type reader struct {
	src  io.Reader
	r    *bufio.Reader
	big  []byte
	skip int
	rows int64
	done bool
}

func newReader(src io.Reader, kind byte) (*reader, error) {
	var h [5]byte
	if _, err := io.ReadFull(src, h[:]); err != nil {
		return nil, fmt.Errorf("read head: %w", noEOF(err))
	}
	if string(h[:3]) != "CMR" || h[3] != kind {
		return nil, fmt.Errorf("read head: %w", ErrFormat)
	}
	if h[4] == 0 || h[4] > versions[kind] {
		return nil, fmt.Errorf("read head: version %d, this program reads up to %d: %w", h[4], versions[kind], ErrFormat)
	}
	return &reader{src: src, r: bufio.NewReaderSize(s2.NewReader(src, s2.ReaderMaxBlockSize(blockSize*2), s2.ReaderAllocBlock(smallBlock)), peekSize)}, nil
}

// next returns the next record; io.EOF after the last one of a whole object.
func (f *reader) next() ([]byte, error) {
	if f.done {
		return nil, io.EOF
	}
	if _, err := f.r.Discard(f.skip); err != nil {
		return nil, noEOF(err)
	}
	f.skip = 0
	h, err := f.r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("read record %d: %w", f.rows, noEOF(err))
	}
	n := int(binary.LittleEndian.Uint32(h))
	if n == 0 {
		return nil, f.finish()
	}
	if n > maxRecord {
		return nil, fmt.Errorf("read record %d: %w", f.rows, ErrFormat)
	}
	f.rows++
	n--
	if n+4 <= f.r.Size() {
		b, err := f.r.Peek(n + 4)
		if err != nil {
			return nil, fmt.Errorf("read record %d: %w", f.rows-1, noEOF(err))
		}
		f.skip = n + 4
		return b[4:], nil
	}
	if _, err := f.r.Discard(4); err != nil {
		return nil, noEOF(err)
	}
	if cap(f.big) < n {
		f.big = make([]byte, n)
	}
	f.big = f.big[:n]
	if _, err := io.ReadFull(f.r, f.big); err != nil {
		return nil, fmt.Errorf("read record %d: %w", f.rows-1, noEOF(err))
	}
	return f.big, nil
}

// finish checks the count and reads on to the end of the source, where a verifying source tells whether its bytes are
// those that were written.
func (f *reader) finish() error {
	var e [12]byte
	if _, err := io.ReadFull(f.r, e[:]); err != nil {
		return fmt.Errorf("read end: %w", noEOF(err))
	}
	if n := int64(binary.LittleEndian.Uint64(e[4:])); n != f.rows {
		return fmt.Errorf("read end: %d records, %d said: %w", f.rows, n, ErrFormat)
	}
	if _, err := f.r.ReadByte(); err != io.EOF {
		if err == nil {
			err = ErrFormat
		}
		return fmt.Errorf("read end: %w", err)
	}
	if n, err := io.Copy(io.Discard, f.src); err != nil || n > 0 {
		if err == nil {
			err = ErrFormat
		}
		return fmt.Errorf("read end: %w", err)
	}
	f.done = true
	return io.EOF
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cursor walks through one record; a record that ends too early leaves bad set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uvarint() uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.bad = true
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) text() []byte { return c.bytes(c.uvarint()) }

// end is the error of a record that was too short or too long.
func (c *cursor) end(what string, record int64) error {
	if c.bad || len(c.b) > 0 {
		return fmt.Errorf("read %s record %d: %w", what, record-1, ErrFormat)
	}
	return nil
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

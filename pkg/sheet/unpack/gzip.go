package unpack

import (
	"bufio"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const (
	packedBuffer = 64 << 10

	// maxHeaderBytes bounds what a member's header may hold in names, comments and extra fields, all of it skipped.
	maxHeaderBytes = 4 << 20
	// maxEmptyMembers bounds how many members without a byte may stand in a row; writers end files with one.
	maxEmptyMembers = 1000
)

// flags of a gzip header, RFC 1952.
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagReserved  = 0xe0
)

// Gzip returns what is packed in r. It ends with io.EOF only after every member's checksum and size were found right.
func Gzip(r io.Reader, l Limits) io.Reader {
	from := &counted{in: r}
	return &gzipReader{limits: l.Filled(), from: from, packed: bufio.NewReaderSize(from, packedBuffer)}
}

type gzipReader struct {
	limits Limits
	from   *counted
	packed *bufio.Reader
	member io.ReadCloser // nil between members

	crc      uint32 // of the member so far
	size     uint32 // of the member so far, modulo 2^32 as its trailer has it
	members  int
	empties  int // members without a byte, in a row
	unpacked int64
	first    [2]byte // bytes of what is unpacked
	err      error
}

func (z *gzipReader) Read(p []byte) (int, error) {
	if z.err != nil || len(p) == 0 {
		return 0, z.err
	}
	n, err := z.read(p)
	if err != nil {
		z.err = z.from.explain(err)
	}
	return n, z.err
}

func (z *gzipReader) read(p []byte) (int, error) {
	for {
		if z.member == nil {
			if err := z.begin(); err != nil {
				return 0, err
			}
		}
		n, err := z.member.Read(p)
		if n > 0 {
			z.crc = crc32.Update(z.crc, crc32.IEEETable, p[:n])
			z.size += uint32(n)
			if err := z.count(p[:n]); err != nil {
				return 0, err
			}
		}
		if errors.Is(err, io.EOF) {
			err = z.end()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// count adds unpacked bytes and holds them against the limits.
func (z *gzipReader) count(p []byte) error {
	for i := 0; i < len(p) && z.unpacked+int64(i) < int64(len(z.first)); i++ {
		z.first[z.unpacked+int64(i)] = p[i]
	}
	z.unpacked += int64(len(p))
	if z.unpacked >= 2 && z.first == [2]byte{0x1f, 0x8b} {
		return refuse(finding.ArchiveNested)
	}
	if z.unpacked > z.limits.UnpackedBytes {
		return refuseLimit(finding.ArchiveTooLarge, "unpacked bytes", z.limits.UnpackedBytes)
	}
	used := z.from.n - int64(z.packed.Buffered())
	if used > z.limits.PackedBytes {
		return refuseLimit(finding.FileTooLarge, "packed bytes", z.limits.PackedBytes)
	}
	if z.limits.tooDense(used, z.unpacked) {
		return refuseLimit(finding.ArchiveTooLarge, "ratio", z.limits.Ratio)
	}
	return nil
}

// begin reads a member's header. io.EOF is the end of the file.
func (z *gzipReader) begin() error {
	h := header{in: z.packed}
	var fixed [10]byte
	if _, err := io.ReadFull(z.packed, fixed[:1]); err != nil {
		if errors.Is(err, io.EOF) && z.members == 0 {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if _, err := io.ReadFull(z.packed, fixed[1:]); err != nil {
		return unexpected(err)
	}
	flags := fixed[3]
	if fixed[0] != 0x1f || fixed[1] != 0x8b || flags&flagReserved != 0 {
		return refuse(finding.ArchiveDamaged)
	}
	if fixed[2] != 8 {
		return refuse(finding.ArchiveMethod)
	}
	h.summed, h.crc = flags&flagHeaderCRC != 0, crc32.ChecksumIEEE(fixed[:])
	if flags&flagExtra != 0 {
		h.skip(int(h.uint16()))
	}
	if flags&flagName != 0 {
		h.skipString()
	}
	if flags&flagComment != 0 {
		h.skipString()
	}
	if want := uint16(h.crc); h.summed && h.uint16() != want && h.err == nil {
		return refuse(finding.ArchiveDamaged)
	}
	if h.err != nil {
		return unexpected(h.err)
	}
	z.member = flate.NewReader(z.packed)
	z.members++
	z.crc, z.size = 0, 0
	return nil
}

// end checks a member's trailer.
func (z *gzipReader) end() error {
	z.member = nil
	var trailer [8]byte
	if _, err := io.ReadFull(z.packed, trailer[:]); err != nil {
		return unexpected(err)
	}
	if binary.LittleEndian.Uint32(trailer[:]) != z.crc || binary.LittleEndian.Uint32(trailer[4:]) != z.size {
		return refuse(finding.ArchiveDamaged)
	}
	if z.size > 0 {
		z.empties = 0
	} else if z.empties++; z.empties > maxEmptyMembers {
		return refuseLimit(finding.ArchiveTooLarge, "empty members", maxEmptyMembers)
	}
	return nil
}

// header skips the fields of a member's header that have no fixed length.
type header struct {
	in     *bufio.Reader
	summed bool // its checksum follows
	crc    uint32
	read   int
	err    error
}

func (h *header) next() byte {
	if h.err != nil {
		return 0
	}
	if h.read++; h.read > maxHeaderBytes {
		h.err = refuseLimit(finding.ArchiveTooLarge, "header bytes", maxHeaderBytes)
		return 0
	}
	b, err := h.in.ReadByte()
	if h.err = err; err == nil && h.summed {
		h.crc = crc32.Update(h.crc, crc32.IEEETable, []byte{b})
	}
	return b
}

func (h *header) uint16() uint16 { return uint16(h.next()) | uint16(h.next())<<8 }

func (h *header) skip(n int) {
	for ; n > 0 && h.err == nil; n-- {
		h.next()
	}
}

func (h *header) skipString() {
	for h.next() != 0 {
	}
}

// counted counts what it reads and keeps the source's own error, so that it is not taken for damage.
type counted struct {
	in  io.Reader
	n   int64
	err error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

func (c *counted) explain(err error) error {
	if c.err != nil {
		return fmt.Errorf("read packed file: %w", c.err)
	}
	return damage(err)
}

// damage turns the errors of a decoder into a refusal.
func damage(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) {
		return refuse(finding.ArchiveDamaged)
	}
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

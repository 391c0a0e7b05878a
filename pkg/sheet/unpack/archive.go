package unpack

import (
	"archive/zip"
	"bufio"
	"cmp"
	"compress/flate"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const (
	// maxDirectoryBytes bounds what is read of a zip archive before its entries can be counted.
	maxDirectoryBytes = 2 << 20
	maxNameBytes      = 1 << 10
	encryptedFlags    = 1<<0 | 1<<6 | 1<<13
)

// Archive is the checked directory of a zip archive.
type Archive struct {
	Members []Member // files, in the directory's order; folders are left out
	limits  Limits
	source  *source
}

// Member is one file of an archive.
type Member struct {
	Name   string // as the archive spells it, with slashes
	Size   int64  // unpacked, as the directory says; held against what is read
	Packed int64

	file *zip.File
}

// OpenArchive reads the directory of the zip archive of that size and checks every entry of it. Nothing is unpacked.
func OpenArchive(r io.ReaderAt, size int64, l Limits) (*Archive, error) {
	a := &Archive{limits: l.Filled(), source: &source{in: r, left: maxDirectoryBytes}}
	if size > a.limits.PackedBytes {
		return nil, refuseLimit(finding.FileTooLarge, "packed bytes", a.limits.PackedBytes)
	}
	z, err := zip.NewReader(a.source, size)
	if err != nil && a.source.left < 0 {
		return nil, refuseLimit(finding.ArchiveTooLarge, "directory bytes", maxDirectoryBytes)
	}
	if err != nil {
		return nil, a.source.explain(unexpected(err))
	}
	if len(z.File) > a.limits.Members {
		return nil, refuseLimit(finding.ArchiveTooLarge, "members", int64(a.limits.Members))
	}
	a.source.left = unlimited
	if err := a.check(z.File, size); err != nil {
		return nil, a.source.explain(unexpected(err))
	}
	return a, nil
}

// check judges the entries: each by itself, then all together.
func (a *Archive) check(files []*zip.File, size int64) error {
	names := make(map[string]bool, len(files))
	places := make([]place, 0, len(files))
	var total int64
	for _, f := range files {
		name := strings.ReplaceAll(f.Name, `\`, "/")
		if err := checkEntry(f, name); err != nil {
			return err
		}
		folded := strings.ToLower(strings.TrimSuffix(name, "/"))
		if names[folded] {
			return refuse(finding.ArchiveUnsafe)
		}
		names[folded] = true

		if f.UncompressedSize64 > uint64(a.limits.UnpackedBytes) || f.CompressedSize64 > uint64(size) {
			return a.tooLarge(f, size)
		}
		m := Member{Name: name, Size: int64(f.UncompressedSize64), Packed: int64(f.CompressedSize64), file: f}
		if total += m.Size; total > a.limits.UnpackedBytes {
			return refuseLimit(finding.ArchiveTooLarge, "unpacked bytes", a.limits.UnpackedBytes)
		}
		if a.limits.tooDense(m.Packed, m.Size) {
			return refuseLimit(finding.ArchiveTooLarge, "ratio", a.limits.Ratio)
		}
		data, err := f.DataOffset()
		if err != nil {
			return err
		}
		places = append(places, place{from: data - localHeaderBytes, to: data + m.Packed})
		if !strings.HasSuffix(name, "/") {
			a.Members = append(a.Members, m)
		}
	}
	slices.SortFunc(places, func(x, y place) int { return cmp.Compare(x.from, y.from) })
	for i, p := range places {
		if p.to > size || i > 0 && p.from < places[i-1].to {
			return refuse(finding.ArchiveUnsafe)
		}
	}
	return nil
}

func (a *Archive) tooLarge(f *zip.File, size int64) error {
	if f.CompressedSize64 > uint64(size) {
		return refuse(finding.ArchiveDamaged)
	}
	return refuseLimit(finding.ArchiveTooLarge, "unpacked bytes", a.limits.UnpackedBytes)
}

// localHeaderBytes is the least that stands before a member's data.
const localHeaderBytes = 30

// place is where a member lies in the archive.
type place struct{ from, to int64 }

func checkEntry(f *zip.File, name string) error {
	switch {
	case f.Flags&encryptedFlags != 0:
		return refuse(finding.ArchiveProtected)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return refuse(finding.ArchiveMethod)
	case len(name) > maxNameBytes:
		return refuseLimit(finding.ArchiveTooLarge, "name bytes", maxNameBytes)
	case name == "" || name[0] == '/' || strings.ContainsAny(name, "\x00") || slices.Contains(strings.Split(name, "/"), ".."):
		return refuse(finding.ArchiveUnsafe)
	case f.Mode()&(fs.ModeType&^fs.ModeDir) != 0:
		return refuse(finding.ArchiveUnsafe)
	case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
		return refuse(finding.ArchiveDamaged)
	}
	return nil
}

// Find returns the member of that name, letter case apart.
func (a *Archive) Find(name string) (Member, bool) {
	i := slices.IndexFunc(a.Members, func(m Member) bool { return strings.EqualFold(m.Name, name) })
	if i < 0 {
		return Member{}, false
	}
	return a.Members[i], true
}

// Open unpacks a member. Reading it ends with io.EOF only if size and checksum were right.
func (a *Archive) Open(m Member) (io.ReadCloser, error) {
	raw, err := m.file.OpenRaw()
	if err != nil {
		return nil, a.source.explain(unexpected(err))
	}
	r := &memberReader{archive: a, member: m, packed: bufio.NewReaderSize(raw, int(min(packedBuffer, m.Packed+16))), sum: crc32.NewIEEE()}
	if m.file.Method == zip.Deflate {
		r.inflate = flate.NewReader(r.packed)
	}
	return r, nil
}

type memberReader struct {
	archive *Archive
	member  Member
	packed  *bufio.Reader
	inflate io.ReadCloser // nil if stored
	sum     hash.Hash32
	n       int64
	err     error
}

func (r *memberReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	var n int
	var err error
	if r.inflate != nil {
		n, err = r.inflate.Read(p)
	} else {
		n, err = r.packed.Read(p)
	}
	r.sum.Write(p[:n])
	if r.n += int64(n); r.n > r.member.Size {
		n, err = 0, refuse(finding.ArchiveDamaged)
	}
	if errors.Is(err, io.EOF) {
		err = r.verify()
	}
	if err != nil {
		r.err = r.archive.source.explain(err)
	}
	return n, r.err
}

// verify holds what was read against the directory.
func (r *memberReader) verify() error {
	if _, err := r.packed.ReadByte(); !errors.Is(err, io.EOF) || r.n != r.member.Size || r.sum.Sum32() != r.member.file.CRC32 {
		return refuse(finding.ArchiveDamaged)
	}
	return io.EOF
}

func (r *memberReader) Close() error {
	if r.err == nil {
		r.err = fs.ErrClosed
	}
	if r.inflate != nil {
		return r.inflate.Close()
	}
	return nil
}

const unlimited = int64(1) << 62

// source keeps the error of the bytes' own source, so that it is not taken for damage, and bounds the directory.
type source struct {
	in   io.ReaderAt
	left int64
	err  error
}

func (s *source) ReadAt(p []byte, at int64) (int, error) {
	if s.left -= int64(len(p)); s.left < 0 || at < 0 { // a directory that lies of its place is behind the latter
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.in.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *source) explain(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	if s.err != nil {
		return fmt.Errorf("read archive: %w", s.err)
	}
	if errors.Is(err, zip.ErrFormat) {
		return refuse(finding.ArchiveDamaged)
	}
	return damage(err)
}

package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/ods"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
	"github.com/contactmill/contactmill/pkg/sheet/xlsx"
)

// Open begins to read a table of any kind, in gzip or zip or bare: it refuses what is none, settles the parts of the
// dialect that the options leave open, and reads the heading. An error is a *Refusal, or wraps what r returned. With the
// refusals SheetUnknown and SheetAmbiguous the file comes too, for its Sheets. Whoever opens a file closes it.
func Open(r io.Reader, o Options) (*File, error) {
	return openSource(r, nil, 0, o)
}

// OpenAt is Open for a file that can be read at any place: nothing is read that is not needed.
func OpenAt(r io.ReaderAt, size int64, o Options) (*File, error) {
	return openSource(io.NewSectionReader(r, 0, size), r, size, o)
}

func openSource(r io.Reader, at io.ReaderAt, size int64, o Options) (*File, error) {
	o.Limits = o.Limits.filled()
	s := &source{options: o, r: &metered{r: r, limit: o.Limits.FileBytes}, at: at, size: size}
	f, err := s.open()
	if refusal, ok := errors.AsType[*Refusal](err); err != nil && (!ok || refusal.Code != finding.SheetUnknown && refusal.Code != finding.SheetAmbiguous) {
		return nil, errors.Join(err, s.close())
	}
	f.source = s
	return f, err
}

// Close gives back what the file holds on to, such as its spool. It does not close the reader.
func (f *File) Close() error { return f.source.close() }

// source is what a file is read from, on its way out of its containers.
type source struct {
	options   Options
	r         io.Reader
	at        io.ReaderAt // nil: r only
	size      int64
	container Container
	closers   []io.Closer
}

func (s *source) close() error {
	var all error
	for i := len(s.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, s.closers[i].Close())
	}
	s.closers = nil
	return all
}

const compoundFile = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

func (s *source) open() (*File, error) {
	head, whole, err := peek(s.r)
	if err != nil {
		return nil, err
	}
	if len(head) == 0 {
		return nil, &Refusal{Code: finding.FileEmpty}
	}
	s.r = io.MultiReader(bytes.NewReader(head), s.r)
	container, packed := unpack.Detect(head)
	switch {
	case packed && s.container != NoContainer && (container == unpack.InGzip || s.container == Zip && s.at == nil && s.options.Spool == nil):
		return nil, &Refusal{Code: finding.ArchiveNested}
	case packed && container == unpack.InGzip:
		s.container = Gzip
		s.r, s.at = unpack.Gzip(s.r, s.limits()), nil
		return s.open()
	case packed:
		return s.openZip()
	case bytes.HasPrefix(head, []byte(compoundFile)) && (s.at != nil || s.options.Spool != nil):
		return s.openBook()
	}
	if code := foreign(head); code != "" {
		return nil, &Refusal{Code: code}
	}
	return openText(s.r, head, whole, s.container, s.options)
}

// openZip reads a workbook, or the one file of an archive.
func (s *source) openZip() (*File, error) {
	f, err := s.openBook()
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code != finding.FileIsZIP {
		return f, err
	}
	if s.container != NoContainer {
		return nil, &Refusal{Code: finding.ArchiveNested}
	}
	_, member, err := unpack.Zip(s.at, s.size, s.limits())
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, member)
	s.container = Zip
	s.r, s.at = member, nil
	return s.open()
}

// openBook reads a workbook, which wants to be read out of order.
func (s *source) openBook() (*File, error) {
	if err := s.spool(); err != nil {
		return nil, err
	}
	l := xlsx.Limits{Limits: s.limits(), RecordBytes: s.options.Limits.RecordBytes, Columns: s.options.Limits.Columns, Check: s.options.Check}
	w := workbook{format: FormatXLSX}
	book, err := xlsx.Open(s.at, s.size, l)
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Code == finding.FileIsODS {
		book, err := ods.Open(s.at, s.size, l)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, book)
		w.format, w.sheets, w.open = FormatODS, book.Sheets(), func(i int) (rows, error) { return book.Rows(i) }
	} else if err != nil {
		return nil, err
	} else {
		s.closers = append(s.closers, book)
		w.sheets, w.open = book.Sheets(), func(i int) (rows, error) { return book.Rows(i) }
	}
	f, err := openBook(w, s.container, s.options)
	if f != nil && f.book != nil {
		s.closers = append(s.closers, f.book.rows)
	}
	return f, err
}

// spool makes a stream readable out of order.
func (s *source) spool() error {
	if s.at != nil {
		return nil
	}
	if s.options.Spool == nil {
		return &Refusal{Code: finding.NeedsRoom}
	}
	room, err := s.options.Spool()
	if err != nil {
		return fmt.Errorf("make room for the file: %w", err)
	}
	s.closers = append(s.closers, room)
	if s.size, err = io.Copy(room, s.r); err != nil {
		return fmt.Errorf("keep the file: %w", err)
	}
	s.at = room
	return nil
}

func (s *source) limits() unpack.Limits {
	return unpack.Limits{PackedBytes: s.options.Limits.FileBytes, UnpackedBytes: s.options.Limits.Unpacked}
}

// metered refuses what is longer than the limit.
type metered struct {
	r     io.Reader
	n     int64
	limit int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.n += int64(n); m.n > m.limit {
		return 0, &Refusal{Code: finding.FileTooLarge, Limit: "file bytes", Value: m.limit}
	}
	return n, err
}

// headBytes is how much of a file is looked at to settle what it is.
const headBytes = 64 << 10

// peek reads the head of a file; whole says that it is all, and is less than a head may be.
func peek(r io.Reader) (head []byte, whole bool, err error) {
	head = make([]byte, headBytes)
	n, idle := 0, 0
	for n < len(head) {
		k, err := r.Read(head[n:])
		n += k
		switch {
		case isEnd(err):
			return head[:n], n < len(head), nil
		case err != nil:
			return nil, false, fmt.Errorf("read head of table: %w", err)
		case k > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return nil, false, fmt.Errorf("read head of table: %w", io.ErrNoProgress)
			}
		}
	}
	return head, false, nil
}

// isEnd tells the end of a file from the end of what could be had of it.
func isEnd(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) }

package xlsx

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"github.com/contactmill/contactmill/pkg/sheet/markup"
)

const (
	offsetBits  = 20              // of a place; the rest is the chunk's number
	stringChunk = 1 << offsetBits // bytes of text held together; a longer string has a chunk for itself
	placeChunk  = 1 << 16         // places held together
	placeBytes  = 4

	maxStringXML = 16 << 20 // of one string, its runs' formats included
)

// sharedStrings is the workbook's table of strings, read as far as indexes ask for. Chunks are never moved, so the
// texts stay where they are.
type sharedStrings struct {
	pack  *pack
	part  string // "" if the workbook has none
	limit int    // bytes of memory

	t      *markup.Reader // nil before the first string
	in     io.Closer
	used   int        // bytes of memory
	texts  [][]byte   // chunks, each string behind its length
	places [][]uint32 // of string i: [i/placeChunk][i%placeChunk], chunk<<offsetBits | offset
	n      int
	buf    []byte // of the string that is being read
	err    error
}

func newSharedStrings(p *pack, part string, limit int) *sharedStrings {
	return &sharedStrings{pack: p, part: part, limit: limit}
}

func (s *sharedStrings) close() error {
	if s.t == nil {
		return nil
	}
	s.t = nil
	return s.in.Close()
}

// at returns the string that a cell's index names. It is valid as long as the workbook.
func (s *sharedStrings) at(index []byte) ([]byte, error) {
	i, err := strconv.ParseUint(string(trimmed(index)), 10, 31)
	if err != nil {
		return nil, markup.ErrDamaged
	}
	for uint64(s.n) <= i {
		if s.err == nil {
			s.err = s.readOne()
		}
		if errors.Is(s.err, io.EOF) {
			return nil, markup.ErrDamaged // the index is behind the last string
		}
		if s.err != nil {
			return nil, s.err
		}
	}
	place := s.places[i/placeChunk][i%placeChunk]
	text := s.texts[place>>offsetBits][place&(stringChunk-1):]
	length, n := binary.Uvarint(text)
	return text[n : n+int(length) : n+int(length)], nil
}

// verify reads on to the end, as the checksum of the strings stands behind them. It ends with io.EOF.
func (s *sharedStrings) verify() error {
	for s.err == nil && s.t != nil {
		s.err = s.readOne()
	}
	if s.err != nil {
		return s.err
	}
	return io.EOF
}

// readOne reads the next string. io.EOF is the end of the table.
func (s *sharedStrings) readOne() error {
	if s.part == "" {
		return io.EOF
	}
	if s.t == nil {
		t, in, err := s.pack.open(s.part, "sst")
		if err != nil {
			return err
		}
		s.t, s.in = t, in
	}
	s.t.Bound("string bytes in XML", maxStringXML)
	for {
		kind, err := s.t.Next()
		if err != nil {
			return err
		}
		if kind != markup.Start || s.t.Depth() == 1 {
			continue
		}
		if !s.t.Is("si") {
			if err := s.t.Skip(); err != nil {
				return err
			}
			continue
		}
		if s.buf, err = appendString(s.buf[:0], s.t); err != nil {
			return err
		}
		return s.keep(s.buf)
	}
}

func (s *sharedStrings) keep(text []byte) error {
	last := len(s.texts) - 1
	need := binary.MaxVarintLen32 + len(text)
	if last < 0 || cap(s.texts[last])-len(s.texts[last]) < need {
		if err := s.take(max(stringChunk, need)); err != nil {
			return err
		}
		s.texts = append(s.texts, make([]byte, 0, max(stringChunk, need)))
		last++
	}
	if s.n%placeChunk == 0 {
		if err := s.take(placeChunk * placeBytes); err != nil {
			return err
		}
		s.places = append(s.places, make([]uint32, placeChunk))
	}
	chunk := s.texts[last]
	s.places[s.n/placeChunk][s.n%placeChunk] = uint32(last)<<offsetBits | uint32(len(chunk))
	s.texts[last] = append(binary.AppendUvarint(chunk, uint64(len(text))), text...)
	s.n++
	return nil
}

// take counts memory against the limit.
func (s *sharedStrings) take(n int) error {
	if s.used += n; s.used > s.limit {
		return markup.TooLarge("string bytes", int64(s.limit))
	}
	return nil
}

// appendString appends the text of the si or is element that has just begun: its own or that of its runs, without
// phonetic guides.
func appendString(dst []byte, t *markup.Reader) ([]byte, error) {
	from, depth := len(dst), t.Depth()
	inText := false
	for {
		kind, err := t.Next()
		if err != nil {
			return dst, markup.Unexpected(err)
		}
		switch kind {
		case markup.Text:
			if inText {
				if dst, err = t.AppendText(dst); err != nil {
					return dst, err
				}
				if len(dst)-from > markup.MaxTokenBytes {
					return dst, markup.TooLarge("token bytes", markup.MaxTokenBytes)
				}
			}
		case markup.Start:
			switch {
			case t.Is("t"):
				inText = true
			case !t.Is("r"):
				if err := t.Skip(); err != nil {
					return dst, err
				}
			}
		case markup.End:
			inText = false
			if t.Depth() < depth {
				return unescapedInPlace(dst, from), nil
			}
		}
	}
}

package sheet

import (
	"bytes"
	"io"
	"testing/iotest"
)

// Decode reads a whole text, and counts what its encoding does not have.
func Decode(text []byte, name string) (string, int) {
	c, err := charsetOf(name)
	if err != nil {
		return "", len(text)
	}
	for _, b := range boms {
		if b.name == c.name {
			text = bytes.TrimPrefix(text, []byte(b.bytes))
		}
	}
	b, err := io.ReadAll(c.reader(bytes.NewReader(text)))
	if err != nil {
		return "", len(text)
	}
	_, bad := sequences(b, true)
	return string(b), bad
}

// Recognise tells the encoding of a whole text.
func Recognise(text []byte) (string, Evidence) {
	r, err := recognise(text, true, "", "")
	if err != nil {
		return "", ""
	}
	return r.charset.name, r.evidence
}

// DecodePieces is Decode of bytes that come one at a time, read with the least room.
func DecodePieces(text []byte, name string) string {
	c, err := charsetOf(name)
	if err != nil {
		return ""
	}
	for _, b := range boms {
		if b.name == c.name {
			text = bytes.TrimPrefix(text, []byte(b.bytes))
		}
	}
	r := c.reader(iotest.OneByteReader(bytes.NewReader(text)))
	var all []byte
	room := make([]byte, leastRead)
	for {
		n, err := r.Read(room)
		all = append(all, room[:n]...)
		if err != nil {
			return string(all)
		}
	}
}

// Valid is what the parser calls.
func Valid(text []byte) bool { return valid(text) }

// Portable has the blocks of a file cut, or read, as on a machine that the assembler is not for.
func (f *File) Portable()   { f.scan.portable = true }
func (p *Parser) Portable() { p.scan.portable = true }

// Classify returns the bits of the delimiters and line feeds of data, and those from its paired to the next.
func Classify(data []byte, delimiter, quote byte, portable bool) (separators, paired []uint64, wide bool) {
	s := scanner{delimiter: delimiter, quote: quote, portable: portable || !vector}
	separators, paired = make([]uint64, len(data)/64), make([]uint64, len(data)/64)
	wide = s.classify(data, separators, paired)
	return separators, paired, wide
}

// Flatten writes the places of bits, as far as there is room.
func Flatten(marks []uint64, base uint32, ends []uint32, portable bool) (read, wrote int) {
	s := scanner{portable: portable || !vector}
	return s.flatten(marks, base, ends)
}

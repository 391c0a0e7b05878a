package sheet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// lost stands in the text for a byte, or a few, that are no character of the file's encoding. It is not valid UTF-8, so
// that the cell becomes a finding and never passes for text.
const lost = 0xff

// decoder reads text of any encoding as UTF-8.
type decoder struct {
	r      io.Reader
	c      *charset
	double transform.Transformer
	in     []byte // read and not yet decoded
	room   []byte
	err    error // of r
}

func (c *charset) reader(r io.Reader) io.Reader {
	if c.form == asUTF8 {
		return r
	}
	d := &decoder{r: r, c: c, room: make([]byte, readBytes)}
	if c.form == asDouble {
		d.double = c.double.NewDecoder()
	}
	return d
}

// leastRead is the smallest room that any encoding's longest character fits.
const leastRead = 16

func (d *decoder) Read(p []byte) (int, error) {
	if len(p) < leastRead {
		return 0, fmt.Errorf("decode into %d bytes: %w", len(p), io.ErrShortBuffer)
	}
	for {
		n, used, err := d.decode(p, d.in, d.err != nil)
		d.in = d.in[used:]
		if n > 0 || err != nil {
			return n, err
		}
		switch {
		case d.err != nil && (len(d.in) == 0 || !errors.Is(d.err, io.EOF)):
			return 0, d.err
		case d.err != nil && used == 0:
			p[0], d.in = lost, d.in[1:]
			return 1, nil
		}
		kept := copy(d.room, d.in)
		k, err := d.r.Read(d.room[kept:])
		d.in, d.err = d.room[:kept+k], err
	}
}

// decode turns bytes into text as far as there is room, and returns how much it wrote and used. Bytes that only begin a
// character are left unless they are the last.
func (d *decoder) decode(dst, src []byte, end bool) (wrote, used int, err error) {
	switch d.c.form {
	case asSingle:
		wrote, used = single(dst, src, d.c.table, d.c.ascii)
	case asUTF16LE, asUTF16BE:
		wrote, used = wide16(dst, src, d.c.form == asUTF16BE, end)
	case asUTF32LE, asUTF32BE:
		wrote, used = wide32(dst, src, d.c.form == asUTF32BE, end)
	default:
		wrote, used, err = d.double.Transform(dst, src, end)
		if errors.Is(err, transform.ErrShortDst) || errors.Is(err, transform.ErrShortSrc) {
			err = nil
		}
		wrote = markLost(dst[:wrote])
	}
	return wrote, used, err
}

// markLost puts the mark where x/text put U+FFFD, and returns how long the text is then.
func markLost(text []byte) int {
	const replacement = "\ufffd"
	i := bytes.Index(text, []byte(replacement))
	if i < 0 {
		return len(text)
	}
	w := i
	for i < len(text) {
		if bytes.HasPrefix(text[i:], []byte(replacement)) {
			text[w] = lost
			i += len(replacement)
		} else {
			text[w] = text[i]
			i++
		}
		w++
	}
	return w
}

func single(dst, src []byte, table *[256][]byte, ascii bool) (w, i int) {
	for i < len(src) && w+utf8.UTFMax < len(dst) {
		if ascii && i+8 <= len(src) && w+8 < len(dst) { // most is
			if x := word(src[i:]); x&highs == 0 {
				binary.LittleEndian.PutUint64(dst[w:], x)
				i += 8
				w += 8
				continue
			}
		}
		switch t := table[src[i]]; len(t) {
		case 0:
			dst[w] = lost
			w++
		case 1:
			dst[w] = t[0]
			w++
		default:
			w += copy(dst[w:], t)
		}
		i++
	}
	return w, i
}

func wide16(dst, src []byte, big, end bool) (w, i int) {
	hi, lo := 1, 0
	if big {
		hi, lo = 0, 1
	}
	for i+2 <= len(src) && w+utf8.UTFMax < len(dst) {
		u := rune(src[i+hi])<<8 | rune(src[i+lo])
		if u < utf8.RuneSelf {
			dst[w] = byte(u)
			w++
			i += 2
			continue
		}
		if utf16.IsSurrogate(u) {
			if i+4 > len(src) && !end {
				return w, i
			}
			pair := rune(utf8.RuneError)
			if i+4 <= len(src) {
				pair = utf16.DecodeRune(u, rune(src[i+2+hi])<<8|rune(src[i+2+lo]))
			}
			if pair == utf8.RuneError {
				dst[w] = lost
				w++
				i += 2
				continue
			}
			u = pair
			i += 2
		}
		w += utf8.EncodeRune(dst[w:], u)
		i += 2
	}
	if end && i+1 == len(src) && w < len(dst) {
		dst[w] = lost
		return w + 1, i + 1
	}
	return w, i
}

func wide32(dst, src []byte, big, end bool) (w, i int) {
	for i+4 <= len(src) && w+utf8.UTFMax < len(dst) {
		u := binary.LittleEndian.Uint32(src[i:])
		if big {
			u = binary.BigEndian.Uint32(src[i:])
		}
		i += 4
		if u > utf8.MaxRune || !utf8.ValidRune(rune(u)) {
			dst[w] = lost
			w++
			continue
		}
		w += utf8.EncodeRune(dst[w:], rune(u))
	}
	if end && i < len(src) && i+4 > len(src) && w < len(dst) {
		dst[w] = lost
		return w + 1, len(src)
	}
	return w, i
}

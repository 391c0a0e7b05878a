package sheet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// index finds the ends of cells, 64 bytes at a time: it makes a bit of every byte and tells by arithmetic what lies inside
// quotes, for a branch on each cell, which no processor can guess, would cost more than all the rest. It knows well-formed
// records only. Whatever else it meets it hands to the scanner, one record, and goes on behind that.
type index struct {
	scan      *scanner
	quote     uint64 // in all eight bytes, as the delimiter
	delimiter uint64
	slow      bool // every record is the scanner's: for dialects and limits that the arithmetic does not know
	stride    int  // after so many bytes it is looked whether a record is about to pass the limit

	marks []uint64 // a bit for each byte of the data: one that ends a cell
	inner []int32  // line feeds inside quotes, and the second of two quotes that stand for one
	odd   []int32  // where records begin that are the scanner's; there are no marks of theirs
	wide  uint64   // the top bits of all bytes

	base    int    // a multiple of 64; all marks before it are made
	skip    uint64 // bits of the 64 at base that stand already
	within  uint64 // all ones if a quoted cell goes on at base
	begins  uint64 // the lowest bit: a cell begins at base, or higher, where skip ends
	closed  uint64 // the lowest bit: the byte before base closed a quoted cell
	pending int    // there is no quote from base to here
	floor   int    // a record begins here, and those before are read
	check   int    // where the next look at the limit is due
}

const (
	lows   = 0x0101010101010101
	sevens = 0x7f * lows
	highs  = 0x80 * lows

	// gather times the top bits of eight bytes has them as its top byte, in order.
	gather = 0x0002040810204081

	// leastFast is the limit of a record under which the scanner reads all.
	leastFast = 512
)

func newIndex(s *scanner) index {
	x := index{scan: s, quote: lows * uint64(s.quote), delimiter: lows * uint64(s.delimiter)}
	x.slow = s.escape != 0 || s.limit < leastFast
	x.stride = min(16<<10, s.limit/4&^63)
	return x
}

// reset begins with new data; a record begins at their first byte.
func (x *index) reset() {
	x.marks, x.inner, x.odd, x.wide = x.marks[:0], x.inner[:0], x.odd[:0], 0
	x.base, x.skip, x.within, x.begins, x.closed = 0, 0, 0, 1, 0
	x.pending, x.floor, x.check = 0, 0, x.stride
}

// nearly all its input passes here: not ends has the top bit of every byte of w that is d or n, both below 0x80.
func ends(w, d, n uint64) uint64 {
	low := w & sevens
	return ((low^d)+sevens)&((low^n)+sevens) | w
}

// of is the same for one byte.
func of(w, c uint64) uint64 { return (w&sevens ^ c) + sevens | w }

// bitsOf makes one byte of the top bits of eight.
func bitsOf(w uint64) uint64 { return (w & highs) * gather >> 56 }

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// run goes on through the data, which begin as they did before and may have grown; final says that they are all. It
// returns more, with the beginning of the record that it needs more data for, or tooLong with that of the record that is.
// Otherwise all is marked that the data are enough for.
func (x *index) run(data []byte, final bool) (verdict, int) {
	if words := (len(data) + 63) / 64; words > cap(x.marks) {
		grown := make([]uint64, words, words+words/8)
		copy(grown, x.marks)
		x.marks = grown
	} else {
		x.marks = x.marks[:words]
	}
	for x.slow && x.floor < len(data) {
		if v := x.hand(data, x.floor, final); v != whole {
			return v, x.floor
		}
	}
	ahead := (len(data) - 1) &^ 63 // the 64 before it are followed by a byte
	for x.base < len(data) && (x.base < ahead || final) {
		if x.base >= x.check {
			x.check = x.base + x.stride
			if start := x.last(data); x.base-start >= x.scan.limit/2 {
				if v := x.hand(data, start, final); v != whole {
					return v, start
				}
				continue
			}
		}
		if x.pending < x.base {
			x.pending = len(data)
			if x.scan.quote != NoQuote {
				if i := bytes.IndexByte(data[x.base:], x.scan.quote); i >= 0 {
					x.pending = x.base + i
				}
			}
		}
		if stop := min(ahead, x.pending&^63, x.check); x.within|x.closed|x.skip == 0 && x.base < stop {
			x.plain(data[x.base:stop])
			continue
		}
		if bad := x.quoted(data, min(ahead, x.check)); bad >= 0 {
			start := x.last(data)
			if v := x.hand(data, start, final); v != whole {
				return v, start
			}
		}
	}
	if final && x.within != 0 { // a quote is open at the end
		start := x.last(data)
		if v := x.hand(data, start, true); v != whole {
			return v, start
		}
		return x.run(data, true)
	}
	return whole, 0
}

// plain marks data without quotes.
func (x *index) plain(data []byte) {
	const n = '\n' * lows
	d, at, wide := x.delimiter, x.base/64, x.wide
	marks := x.marks[at : at+len(data)/64]
	var m uint64
	for i := range marks {
		b := data[:64]
		w0, w1, w2, w3 := word(b), word(b[8:]), word(b[16:]), word(b[24:])
		w4, w5, w6, w7 := word(b[32:]), word(b[40:]), word(b[48:]), word(b[56:])
		wide |= w0 | w1 | w2 | w3 | w4 | w5 | w6 | w7
		m = ^(bitsOf(ends(w0, d, n)) | bitsOf(ends(w1, d, n))<<8 | bitsOf(ends(w2, d, n))<<16 | bitsOf(ends(w3, d, n))<<24 |
			bitsOf(ends(w4, d, n))<<32 | bitsOf(ends(w5, d, n))<<40 | bitsOf(ends(w6, d, n))<<48 | bitsOf(ends(w7, d, n))<<56)
		marks[i] = m
		data = data[64:]
	}
	x.base += 64 * len(marks)
	x.begins, x.wide = m>>63, wide
}

// quoted marks the 64 bytes at base, and goes on to stop while there are quotes. It returns where a record breaks the
// rules, or -1; marks are made as far as there.
func (x *index) quoted(data []byte, stop int) int {
	const n = '\n' * lows
	d, quote := x.delimiter, x.quote
	quoting := ^uint64(0)
	if x.scan.quote == NoQuote {
		quoting = 0
	}
	begins, closed, within, skip, wide := x.begins, x.closed, x.within, x.skip, x.wide
	for {
		b, valid := data[x.base:], ^uint64(0)
		if len(b) < 64 {
			var padded [64]byte
			copy(padded[:], b)
			b, valid = padded[:], 1<<len(b)-1
		}
		b = b[:64]
		w0, w1, w2, w3 := word(b), word(b[8:]), word(b[16:]), word(b[24:])
		wide |= w0 | w1 | w2 | w3
		q := bitsOf(of(w0, quote)) | bitsOf(of(w1, quote))<<8 | bitsOf(of(w2, quote))<<16 | bitsOf(of(w3, quote))<<24
		s := bitsOf(ends(w0, d, n)) | bitsOf(ends(w1, d, n))<<8 | bitsOf(ends(w2, d, n))<<16 | bitsOf(ends(w3, d, n))<<24
		w0, w1, w2, w3 = word(b[32:]), word(b[40:]), word(b[48:]), word(b[56:])
		wide |= w0 | w1 | w2 | w3
		q |= bitsOf(of(w0, quote))<<32 | bitsOf(of(w1, quote))<<40 | bitsOf(of(w2, quote))<<48 | bitsOf(of(w3, quote))<<56
		s |= bitsOf(ends(w0, d, n))<<32 | bitsOf(ends(w1, d, n))<<40 | bitsOf(ends(w2, d, n))<<48 | bitsOf(ends(w3, d, n))<<56
		q = ^q & quoting &^ skip
		inside := q ^ q<<1
		inside ^= inside << 2
		inside ^= inside << 4
		inside ^= inside << 8
		inside ^= inside << 16
		inside ^= inside << 32
		inside ^= within // from an opening quote up to, not including, its closing one
		s = ^s
		folded := s & inside &^ skip
		s &^= inside | skip
		opens, closes := q&inside, q&^inside
		behind := closes<<1 | closed
		doubled := opens & behind
		bad := opens&^(s<<1|begins|behind) | behind&^(s|q)&valid
		for rest := bad; rest != 0; rest &= rest - 1 { // a line may end in CR LF behind a quote
			i := x.base + bits.TrailingZeros64(rest)
			if rest&behind&-rest == 0 || data[i] != '\r' || i+1 < len(data) && data[i+1] != '\n' {
				break
			}
			bad &= bad - 1
		}
		g := x.base / 64
		if bad != 0 {
			x.marks[g] = x.marks[g]&skip | s&(bad&-bad-1)
			x.skip, x.wide = skip|(bad&-bad-1), wide
			return x.base + bits.TrailingZeros64(bad)
		}
		x.marks[g] = x.marks[g]&skip | s
		for rest := folded | doubled; rest != 0; rest &= rest - 1 {
			i := x.base + bits.TrailingZeros64(rest)
			if data[i] != x.scan.delimiter {
				x.inner = append(x.inner, int32(i))
			}
		}
		begins, closed, within, skip = s>>63, closes>>63, uint64(int64(inside)>>63), 0
		x.base += 64
		if q == 0 || x.base >= stop {
			x.begins, x.closed, x.within, x.skip, x.wide = begins, closed, within, 0, wide
			if q != 0 {
				x.pending = x.base // more quotes are likely
			}
			return -1
		}
	}
}

// hand has the scanner read the record at start, and goes on behind it.
func (x *index) hand(data []byte, start int, final bool) verdict {
	next, v, _, _ := x.scan.record(data, start, final, nil)
	for n := len(x.inner); n > 0 && int(x.inner[n-1]) >= start; n-- {
		x.inner = x.inner[:n-1]
	}
	g := start / 64
	x.marks[g] &= 1<<(start&63) - 1
	if v == more || v == tooLong {
		x.restart(start)
		return v
	}
	for g++; g < len(x.marks) && g <= next/64; g++ {
		x.marks[g] = 0
	}
	x.odd = append(x.odd, int32(start))
	for _, c := range data[start:next] {
		x.wide |= uint64(c)
	}
	x.floor = next
	x.restart(next)
	return whole
}

// restart goes on at a place where a record begins.
func (x *index) restart(at int) {
	x.base = at &^ 63
	x.skip = 1<<(at&63) - 1
	x.within, x.closed, x.begins = 0, 0, 1<<(at&63)
	x.pending = -1
	x.check = x.base + x.stride
}

// last returns where the last record begins that is not known to have ended.
func (x *index) last(data []byte) int {
	g := x.base / 64
	m := uint64(0)
	if x.skip != 0 {
		m = x.marks[g] & x.skip
	}
	for {
		for ; m != 0; m &^= 1 << (bits.Len64(m) - 1) {
			if i := 64*g + bits.Len64(m) - 1; i < x.floor {
				return x.floor
			} else if data[i] == '\n' {
				return i + 1
			}
		}
		if g--; g < 0 || 64*g+64 <= x.floor {
			return x.floor
		}
		m = x.marks[g]
	}
}

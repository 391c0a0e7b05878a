package sheet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// What looks at every byte is here: two small functions that a processor's vector instructions do best. classify and
// flatten are these, in assembler where there is some, and else as below, eight bytes at a time.

const (
	lows   = 0x0101010101010101
	sevens = 0x7f * lows
	highs  = 0x80 * lows

	// gather times the top bits of eight bytes has them as its top byte, in order.
	gather = 0x0002040810204081
)

// classifyWords makes a bit of every byte, of each whole 64 bytes of data: in separators for delimiters and line feeds, in
// paired from each quote that stands for an odd one of its 64 bytes up to, not including, the next. wide says that one of
// the bytes has its top bit set. Delimiter and quote do not.
func (s *scanner) classifyWords(data []byte, separators, paired []uint64) (wide bool) {
	const n = '\n' * lows
	d, quote := lows*uint64(s.delimiter), lows*uint64(s.quote)
	separators = separators[:len(data)/64]
	paired = paired[:len(separators)]
	quoting := bytes.IndexByte(data, s.quote) >= 0 // else it is told sooner
	var all uint64
	for i := range separators {
		b := data[:64]
		w0, w1, w2, w3 := word(b), word(b[8:]), word(b[16:]), word(b[24:])
		w4, w5, w6, w7 := word(b[32:]), word(b[40:]), word(b[48:]), word(b[56:])
		all |= w0 | w1 | w2 | w3 | w4 | w5 | w6 | w7
		separators[i] = ^(bitsOf(ends(w0, d, n)) | bitsOf(ends(w1, d, n))<<8 | bitsOf(ends(w2, d, n))<<16 | bitsOf(ends(w3, d, n))<<24 |
			bitsOf(ends(w4, d, n))<<32 | bitsOf(ends(w5, d, n))<<40 | bitsOf(ends(w6, d, n))<<48 | bitsOf(ends(w7, d, n))<<56)
		paired[i] = 0
		if quoting {
			paired[i] = spread(^(bitsOf(of(w0, quote)) | bitsOf(of(w1, quote))<<8 | bitsOf(of(w2, quote))<<16 | bitsOf(of(w3, quote))<<24 |
				bitsOf(of(w4, quote))<<32 | bitsOf(of(w5, quote))<<40 | bitsOf(of(w6, quote))<<48 | bitsOf(of(w7, quote))<<56))
		}
		data = data[64:]
	}
	return all&highs != 0
}

// spread turns the bits from each odd one up to the next on, and all others off.
func spread(q uint64) uint64 {
	q ^= q << 1
	q ^= q << 2
	q ^= q << 4
	q ^= q << 8
	q ^= q << 16
	return q ^ q<<32
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

// flattenWords writes the places of the bits of marks to ends, in order; base is the place of the first. It returns how
// many marks it read, for each of which there was room for 64, and how many places it wrote. What is behind them may be
// written over.
func flattenWords(marks []uint64, base uint32, ends []uint32) (read, wrote int) {
	for ; read < len(marks) && wrote+64 <= len(ends); read++ {
		for m := marks[read]; m != 0; m &= m - 1 {
			ends[wrote] = base + uint32(bits.TrailingZeros64(m))
			wrote++
		}
		base += 64
	}
	return read, wrote
}

package sheet

import (
	"math/bits"
	"unicode/utf8"
)

// index finds the ends of cells, 64 bytes at a time: it makes a bit of every byte and tells by arithmetic what lies inside
// quotes, for a branch on each cell, which no processor can guess, would cost more than all the rest. It knows well-formed
// records only. Whatever else it meets it hands to the scanner, one record, and goes on behind that.
type index struct {
	scan   *scanner
	slow   bool // every record is the scanner's: for dialects and limits that the arithmetic does not know
	stride int  // after so many bytes it is looked whether a record is about to pass the limit

	marks []uint64 // a bit for each byte of the data: one that ends a cell
	inner []int32  // line feeds inside quotes, and the second of two quotes that stand for one
	odd   []int32  // where records begin that are the scanner's; there are no marks of theirs
	wide  bool     // a byte is not ASCII

	separators [window]uint64 // a bit for each byte of the data from seen: a delimiter or line feed, wherever it stands
	paired     [window]uint64 // from each quote that is an odd one of 64 bytes up to the next
	seen       int            // a multiple of 64
	groups     int            // of 64 bytes that they are of

	base   int    // a multiple of 64; all marks before it are made
	skip   uint64 // bits of the 64 at base that stand already
	within uint64 // all ones if a quoted cell goes on at base
	begins uint64 // the lowest bit: a cell begins at base, or higher, where skip ends
	closed uint64 // the lowest bit: the byte before base closed a quoted cell
	floor  int    // a record begins here, and those before are read
	check  int    // where the next look at the limit is due
}

const (
	// window times 64 bytes are classified at once: enough to be quick, and little to do again after a record of the
	// scanner's.
	window = 32

	// leastFast is the limit of a record under which the scanner reads all.
	leastFast = 512
)

func newIndex(s *scanner) index {
	return index{scan: s, slow: s.escape != 0 || s.limit < leastFast, stride: min(16<<10, s.limit/4&^63)}
}

// reset begins with new data; a record begins at their first byte.
func (x *index) reset() {
	x.marks, x.inner, x.odd, x.wide = x.marks[:0], x.inner[:0], x.odd[:0], false
	x.seen, x.groups = 0, 0
	x.base, x.skip, x.within, x.begins, x.closed = 0, 0, 0, 1, 0
	x.floor, x.check = 0, x.stride
}

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
		if x.mark(data, min(ahead, x.check)) {
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

// mark makes the marks of the 64 bytes at base, or of what is left of them, and goes on to stop. bad says that a record
// breaks the rules: then marks are made as far as there, and skip tells how far that is.
func (x *index) mark(data []byte, stop int) (bad bool) {
	at, n, valid := x.look(data, stop)
	separators, paired, marks := x.separators[at:at+n], x.paired[at:at+n], x.marks[x.base/64:][:n]
	begins, closed, within, skip := x.begins, x.closed, x.within, x.skip
	for i, s := range separators {
		inside := paired[i]
		if inside|within|closed|skip == 0 {
			marks[i] = s
			begins = s >> 63
			continue
		}
		q := inside ^ inside<<1
		if q&skip != 0 {
			q &^= skip
			inside = spread(q)
		}
		inside ^= within // from an opening quote up to, not including, its closing one
		folded := s & inside &^ skip
		s &^= inside | skip
		opens, closes := q&inside, q&^inside
		behind := closes<<1 | closed
		doubled := opens & behind
		wrong := opens&^(s<<1|begins|behind) | behind&^(s|q)&valid
		if wrong != 0 {
			wrong = x.excuse(data, x.base+64*i, wrong, behind)
		}
		good := wrong&-wrong - 1 // up to where it is, or all
		for rest := (folded | doubled) & good; rest != 0; rest &= rest - 1 {
			if k := x.base + 64*i + bits.TrailingZeros64(rest); data[k] != x.scan.delimiter {
				x.inner = append(x.inner, int32(k))
			}
		}
		if wrong != 0 {
			marks[i] = marks[i]&skip | s&good
			x.base += 64 * i
			x.skip = skip | good
			return true
		}
		marks[i] = marks[i]&skip | s
		begins, closed, within, skip = s>>63, closes>>63, uint64(int64(inside)>>63), 0
	}
	x.base += 64 * n
	x.begins, x.closed, x.within, x.skip = begins, closed, within, 0
	return false
}

// excuse takes the CR of CR LF off what is wrong in the 64 bytes at base, up to the first that is wrong indeed: a line may
// end so behind a quote.
func (x *index) excuse(data []byte, base int, wrong, behind uint64) uint64 {
	for rest := wrong; rest != 0; rest &= rest - 1 {
		i := base + bits.TrailingZeros64(rest)
		if rest&behind&-rest == 0 || data[i] != '\r' || i+1 < len(data) && data[i+1] != '\n' {
			return rest
		}
	}
	return 0
}

// look sees to it that what stands at base is classified. It returns where in the window that is, how many times 64 bytes
// are classified from there to stop, and which of the first of them there are.
func (x *index) look(data []byte, stop int) (at, n int, valid uint64) {
	at, valid = (x.base-x.seen)/64, ^uint64(0)
	switch {
	case x.base >= stop: // the last ones
		var padded [64]byte
		last := copy(padded[:], data[x.base:])
		if last < len(padded) {
			valid = 1<<last - 1
		}
		for i := last; i < len(padded); i++ {
			padded[i] = 'a' // never a delimiter or quote
		}
		x.classify(padded[:])
		return 0, 1, valid
	case at < 0 || at >= x.groups:
		x.classify(data[x.base:min(stop, x.base+64*window)])
		return 0, x.groups, valid
	}
	return at, min(x.groups-at, (stop-x.base)/64), valid
}

// classify fills the window with the data from base on.
func (x *index) classify(data []byte) {
	x.seen, x.groups = x.base, len(data)/64
	if x.scan.classify(data, x.separators[:x.groups], x.paired[:x.groups]) {
		x.wide = true
	}
	if x.scan.quote == NoQuote {
		clear(x.paired[:])
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
		x.wide = x.wide || c >= utf8.RuneSelf
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

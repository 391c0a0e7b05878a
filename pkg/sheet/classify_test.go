package sheet_test

import (
	"math/bits"
	"syscall"
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// guarded returns a copy of data behind and before which no byte may be touched.
func guarded(t *testing.T) func(data []byte) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	room, err := syscall.Mmap(-1, 0, 4*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("map memory: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(room); err != nil {
			t.Errorf("unmap memory: %v", err)
		}
	})
	for _, guard := range [][]byte{room[:page], room[3*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatalf("guard memory: %v", err)
		}
	}
	inner := room[page : 3*page]
	return func(data []byte) []byte {
		at := inner[len(inner)-len(data):]
		if len(data)%2 == 0 {
			at = inner[:len(data)]
		}
		copy(at, data)
		return at
	}
}

// The assembler, what stands in for it elsewhere, and one byte after the other say the same, and look at nothing else.
func TestClassify(t *testing.T) {
	t.Parallel()
	place := guarded(t)
	rapid.Check(t, func(t *rapid.T) {
		special := func(name string) byte { return rapid.SampledFrom([]byte(",;\t|\"'\x00\x1f~:")).Draw(t, name) }
		delimiter, quote := special("delimiter"), special("quote")
		one := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{delimiter, quote, '\n', delimiter ^ 0x80, quote ^ 0x80, '\n' ^ 0x80, delimiter ^ 1, quote ^ 1, '\n' ^ 1}), rapid.Just(byte('a')))
		size := rapid.IntRange(0, 320).Draw(t, "size")
		data := rapid.SliceOfN(one, size, size).Draw(t, "data")
		if rapid.Bool().Draw(t, "ASCII") {
			for i := range data {
				data[i] &= 0x7f
			}
			if len(data) > 0 && rapid.Bool().Draw(t, "but for one") {
				data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] |= 0x80
			}
		}
		data = place(data)
		whole := data[:len(data)&^63]
		separators, paired, wide := make([]uint64, len(whole)/64), make([]uint64, len(whole)/64), false
		for i, c := range whole {
			if c == delimiter || c == '\n' {
				separators[i/64] |= 1 << (i % 64)
			}
			if c == quote {
				paired[i/64] ^= ^uint64(0) << (i % 64)
			}
			wide = wide || c >= 0x80
		}
		for _, portable := range []bool{false, true} {
			gotSeparators, gotPaired, gotWide := sheet.Classify(data, delimiter, quote, portable)
			if diff := cmp.Diff(separators, gotSeparators); diff != "" {
				t.Fatalf("portable %v: separators of %q (-want +got):\n%s", portable, data, diff)
			}
			if diff := cmp.Diff(paired, gotPaired); diff != "" {
				t.Fatalf("portable %v: paired quotes of %q (-want +got):\n%s", portable, data, diff)
			}
			if gotWide != wide {
				t.Fatalf("portable %v: %q is wide: %v", portable, data, gotWide)
			}
		}
	})
}

func TestFlatten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mask := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1 << 63, 0xff, 0x1ff, 0xffff << 20, 1<<63 | 1, ^uint64(0)}))
		marks := rapid.SliceOfN(mask, 0, 20).Draw(t, "marks")
		room := rapid.IntRange(0, 64*len(marks)+70).Draw(t, "room")
		base := 64 * rapid.Uint32Range(0, 1<<20).Draw(t, "base")
		var want []uint32
		fit := 0
		for ; fit < len(marks) && len(want)+64 <= room; fit++ {
			for m := marks[fit]; m != 0; m &= m - 1 {
				want = append(want, base+uint32(64*fit+bits.TrailingZeros64(m)))
			}
		}
		const untouched = 0xdeadbeef
		for _, portable := range []bool{false, true} {
			ends := make([]uint32, room+64)
			for i := range ends {
				ends[i] = untouched
			}
			read, wrote := sheet.Flatten(marks, base, ends[:room], portable)
			if read != fit {
				t.Fatalf("portable %v: read %d of %d masks with room for %d, want %d", portable, read, len(marks), room, fit)
			}
			if diff := cmp.Diff(want, append([]uint32(nil), ends[:wrote]...)); diff != "" {
				t.Fatalf("portable %v: places of %x (-want +got):\n%s", portable, marks, diff)
			}
			for i, e := range ends[room:] {
				if e != untouched {
					t.Fatalf("portable %v: wrote %d behind the room", portable, i)
				}
			}
		}
	})
}

//go:build !purego

package sheet

import "golang.org/x/sys/cpu"

// vector tells whether this machine has what the assembler needs: nearly all that are sold since 2015 have.
var vector = cpu.X86.HasAVX2 && cpu.X86.HasPCLMULQDQ && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// classifyAVX2 is classify for 64 bytes times groups, one or more; wide is not 0 if a byte has its top bit set.
//
//go:noescape
func classifyAVX2(data *byte, groups int, separators, paired *uint64, delimiter, quote byte) (wide uint32)

// flattenBMI is flatten; ends has room for room places.
//
//go:noescape
func flattenBMI(marks *uint64, groups int, base uint32, ends *uint32, room int) (read, wrote int)

func (s *scanner) classify(data []byte, separators, paired []uint64) (wide bool) {
	if s.portable {
		return s.classifyWords(data, separators, paired)
	}
	groups := len(data) / 64
	if groups == 0 {
		return false
	}
	separators, paired = separators[:groups], paired[:groups]
	return classifyAVX2(&data[0], groups, &separators[0], &paired[0], s.delimiter, s.quote) != 0
}

func (s *scanner) flatten(marks []uint64, base uint32, ends []uint32) (read, wrote int) {
	if s.portable {
		return flattenWords(marks, base, ends)
	}
	if len(marks) == 0 || len(ends) == 0 {
		return 0, 0
	}
	return flattenBMI(&marks[0], len(marks), base, &ends[0], len(ends))
}

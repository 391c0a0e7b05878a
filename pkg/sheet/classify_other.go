//go:build !amd64 || purego

package sheet

const vector = false

func (s *scanner) classify(data []byte, separators, paired []uint64) (wide bool) {
	return s.classifyWords(data, separators, paired)
}

func (s *scanner) flatten(marks []uint64, base uint32, ends []uint32) (read, wrote int) {
	return flattenWords(marks, base, ends)
}

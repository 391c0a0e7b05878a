package sheet

import (
	"bytes"
	"io"
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

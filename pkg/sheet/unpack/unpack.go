// Package unpack opens what is wrapped around one file: gzip, or a zip archive. It is pure and bounded, and believes
// nothing that an archive says of itself:
//
//   - One level only. Gzip in gzip is refused here; whoever gets a file out of a container refuses another around it. (A
//     workbook is a zip archive too, and may be inside one container.)
//   - Nothing is final before the end: checksums and sizes stand behind the data, so whoever reads must read to io.EOF
//     before he believes a byte of it. A file that is cut short or damaged ends with a refusal, never with io.EOF.
//   - Sizes are counted while reading. What unpacks to more than a limit, or to more than Ratio times its size once past
//     RatioFrom, is refused by the limit's name.
//   - Members of a gzip file are joined, bytes behind the last one are refused. Names and comments are skipped.
//   - In a zip archive, entries that overlap, are named twice (letter case apart), lead out of the archive, are links,
//     are encrypted, or have more entries than the limit are refused before anything is unpacked.
//
// Errors that the source of the bytes returns are passed on; all others are *finding.FileRefusal.
package unpack

import (
	"bytes"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Container is what is wrapped around a file.
type Container uint8

const (
	None Container = iota
	InGzip
	InZip
)

func (c Container) String() string {
	switch c {
	case InGzip:
		return "gzip"
	case InZip:
		return "zip"
	}
	return ""
}

// Detect names the container that the first bytes of a file begin. A workbook begins as a zip archive does.
func Detect(head []byte) (Container, bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return InGzip, true
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return InZip, true
	}
	return None, false
}

// Limits bound what is unpacked. Every one is named in the refusal that it causes. Zero asks for the published limit.
type Limits struct {
	PackedBytes   int64 // of the container
	UnpackedBytes int64 // of everything in it
	Ratio         int64 // unpacked to packed bytes, of one member, once past RatioFrom
	RatioFrom     int64 // unpacked bytes
	Members       int   // of a zip archive
}

// DefaultLimits are the published limits.
func DefaultLimits() Limits {
	return Limits{PackedBytes: 2 << 30, UnpackedBytes: 8 << 30, Ratio: 100, RatioFrom: 10 << 20, Members: 10_000}
}

// Filled puts the published limit wherever none is set.
func (l Limits) Filled() Limits {
	d := DefaultLimits()
	if l.PackedBytes <= 0 {
		l.PackedBytes = d.PackedBytes
	}
	if l.UnpackedBytes <= 0 {
		l.UnpackedBytes = d.UnpackedBytes
	}
	if l.Ratio <= 0 {
		l.Ratio = d.Ratio
	}
	if l.RatioFrom <= 0 {
		l.RatioFrom = d.RatioFrom
	}
	if l.Members <= 0 {
		l.Members = d.Members
	}
	return l
}

// tooDense reports whether that many packed bytes may not become that many.
func (l Limits) tooDense(packed, unpacked int64) bool {
	return unpacked > l.RatioFrom && unpacked/l.Ratio > packed
}

func refuse(code finding.Code) error { return &finding.FileRefusal{Code: code} }

func refuseLimit(code finding.Code, limit string, value int64) error {
	return &finding.FileRefusal{Code: code, Limit: limit, Value: value}
}

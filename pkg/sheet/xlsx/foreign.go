package xlsx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

const oleMark = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// foreign refuses by name what is a workbook of another format: one that is encrypted, or of an old Excel.
func foreign(r io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 512))
	if n, err := r.ReadAt(head, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(head)) {
		return fmt.Errorf("read head of workbook: %w", err)
	}
	switch {
	case len(head) == 0:
		return &finding.FileRefusal{Code: finding.FileEmpty}
	case bytes.HasPrefix(head, []byte(oleMark)):
		return &finding.FileRefusal{Code: oleCode(r, head)}
	case len(head) > 4 && head[0] == 0x09 && head[1]&^0x0e == 0 && head[2] >= 4 && head[2] <= 16 && head[3] == 0:
		return &finding.FileRefusal{Code: finding.FileIsOldExcel} // a BIFF stream without its container
	case !bytes.HasPrefix(head, []byte("PK")):
		return &finding.FileRefusal{Code: finding.WorkbookDamaged}
	}
	return nil
}

// maxOLESectors bounds how much of a compound file's directory is looked at.
const maxOLESectors = 32

// oleCode tells the compound file of an encrypted workbook from that of an old one, by the names in its directory.
func oleCode(r io.ReaderAt, head []byte) finding.Code {
	if len(head) < 512 {
		return finding.FileIsOldExcel
	}
	shift := binary.LittleEndian.Uint16(head[30:])
	if shift != 9 && shift != 12 {
		return finding.FileIsOldExcel
	}
	sectorBytes := int64(1) << shift
	sector := make([]byte, sectorBytes)
	next := binary.LittleEndian.Uint32(head[48:])
	for range maxOLESectors {
		if next >= 0xfffffffa {
			break
		}
		if n, err := r.ReadAt(sector, (int64(next)+1)*sectorBytes); n < len(sector) && err != nil {
			break
		}
		if bytes.Contains(sector, inUTF16("EncryptedPackage")) {
			return finding.WorkbookProtected
		}
		// the directory's next sector is in the allocation table, whose sectors the header lists
		perSector := uint32(sectorBytes / 4)
		place := next / perSector
		if place >= 109 {
			break
		}
		table := binary.LittleEndian.Uint32(head[76+4*place:])
		var entry [4]byte
		if n, err := r.ReadAt(entry[:], (int64(table)+1)*sectorBytes+int64(next%perSector)*4); n < len(entry) && err != nil {
			break
		}
		next = binary.LittleEndian.Uint32(entry[:])
	}
	return finding.FileIsOldExcel
}

func inUTF16(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

package unpack_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
)

// zip64 makes an archive of one stored file whose directory has its sizes in the fields of large archives.
func zip64(name, text string, unpacked, packed uint64) []byte {
	le := binary.LittleEndian
	sum := crc32.ChecksumIEEE([]byte(text))
	var b []byte
	header := func(mark uint32, made bool, size uint32, extra uint16) {
		b = le.AppendUint32(b, mark)
		if made {
			b = le.AppendUint16(b, 45)
		}
		for _, v := range []uint16{45, 0, 0, 0, 0x21} { // version, flags, stored, time and day
			b = le.AppendUint16(b, v)
		}
		for _, v := range []uint32{sum, size, size} {
			b = le.AppendUint32(b, v)
		}
		b = le.AppendUint16(le.AppendUint16(b, uint16(len(name))), extra)
	}
	header(0x04034b50, false, uint32(len(text)), 0)
	b = append(append(b, name...), text...)
	directory := len(b)
	header(0x02014b50, true, 0xffffffff, 20)
	b = append(b, make([]byte, 14)...) // comment, disk, attributes and where the file begins
	b = append(b, name...)
	b = le.AppendUint16(le.AppendUint16(b, 1), 16)
	b = le.AppendUint64(le.AppendUint64(b, unpacked), packed)
	size := len(b) - directory
	b = append(le.AppendUint32(b, 0x06054b50), 0, 0, 0, 0, 1, 0, 1, 0)
	b = le.AppendUint32(le.AppendUint32(b, uint32(size)), uint32(directory))
	return append(b, 0, 0)
}

func TestZip64(t *testing.T) {
	t.Parallel()
	honest := uint64(len(table))
	if name, text, err := readZip(zip64("a.csv", table, honest, honest), unpack.Limits{}); name != "a.csv" || text != table || err != nil {
		t.Errorf("got %q of %q, error %v", text, name, err)
	}
	for _, c := range []struct {
		unpacked, packed uint64
		code             finding.Code
		limit            string
	}{
		{1 << 40, honest, finding.ArchiveDamaged, ""}, // a stored file unpacks to itself
		{1 << 63, 1 << 63, finding.ArchiveDamaged, ""},
		{1 << 40, 1 << 40, finding.ArchiveDamaged, ""},
		{honest + 1, honest + 1, finding.ArchiveDamaged, ""},
		{honest - 1, honest - 1, finding.ArchiveDamaged, ""},
	} {
		_, _, err := readZip(zip64("a.csv", table, c.unpacked, c.packed), unpack.Limits{})
		wantRefusal(t, err, c.code, c.limit)
	}
}

package unpack_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
)

// small keeps what the fuzzer finds from taking long.
func small() unpack.Limits {
	return unpack.Limits{UnpackedBytes: 1 << 20, PackedBytes: 1 << 20, RatioFrom: 1 << 16, Members: 100}
}

// FuzzGzip holds what is unpacked against the standard library: nobody is right where the other finds damage, but for
// what is refused here by limit, nesting or name.
func FuzzGzip(f *testing.F) {
	f.Add(gzipped(f, table, nil))
	f.Add(gzipped(f, table, func(w *gzip.Writer) { w.Name, w.Comment, w.Extra = "n", "c", []byte("e") }))
	f.Add(append(gzipped(f, table, nil), gzipped(f, "", nil)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := io.ReadAll(unpack.Gzip(bytes.NewReader(file), small()))
		refusal, refused := errors.AsType[*finding.FileRefusal](err)
		if err != nil && !refused {
			t.Fatalf("error is no refusal: %v", err)
		}
		if refused && refusal.Code != finding.ArchiveDamaged {
			return
		}
		z, oracleErr := gzip.NewReader(bytes.NewReader(file))
		var want []byte
		if oracleErr == nil {
			want, oracleErr = io.ReadAll(io.LimitReader(z, 1<<21))
		}
		if err == nil && oracleErr == nil && !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if err == nil && oracleErr != nil && !errors.Is(oracleErr, gzip.ErrHeader) {
			t.Fatalf("taken, but the standard library says: %v", oracleErr)
		}
	})
}

// FuzzZip reads whatever is in an archive; every error is a refusal.
func FuzzZip(f *testing.F) {
	f.Add(zipped(f, entry{name: "a.csv", text: table}))
	f.Add(directoryAt(zipped(f, entry{name: "a.csv", text: table}), 0xfffff))
	f.Add(zipped(f, entry{name: "a/"}, entry{name: "a/b.csv", text: table}))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, text, err := readZip(file, small())
		if _, refused := errors.AsType[*finding.FileRefusal](err); err != nil && !refused {
			t.Fatalf("error is no refusal: %v", err)
		}
		if len(text) > 1<<20 {
			t.Fatalf("%d bytes were unpacked", len(text))
		}
	})
}

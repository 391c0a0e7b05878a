package unpack_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/sheet/unpack"
)

const table = "Email,Phone\nann@example.com,+12025550123\n"

func gzipped(t testing.TB, text string, change func(*gzip.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if change != nil {
		change(w)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type entry struct {
	name, text string
	change     func(*zip.FileHeader)
}

func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.change != nil {
			e.change(h)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readZip(file []byte, l unpack.Limits) (name, text string, err error) {
	name, in, err := unpack.Zip(bytes.NewReader(file), int64(len(file)), l)
	if err != nil {
		return "", "", err
	}
	defer in.Close()
	all, err := io.ReadAll(in)
	return name, string(all), err
}

func readGzip(file []byte, l unpack.Limits) (string, error) {
	all, err := io.ReadAll(unpack.Gzip(bytes.NewReader(file), l))
	return string(all), err
}

func wantRefusal(t testing.TB, err error, code finding.Code, limit string) {
	t.Helper()
	refusal, ok := errors.AsType[*finding.FileRefusal](err)
	if !ok || refusal.Code != code || refusal.Limit != limit {
		t.Errorf("error is %v, want a refusal %q with limit %q", err, code, limit)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for want, head := range map[unpack.Container][]byte{
		unpack.InGzip: gzipped(t, table, nil),
		unpack.InZip:  zipped(t, entry{name: "a.csv", text: table}),
		unpack.None:   []byte(table),
	} {
		if got, ok := unpack.Detect(head); got != want || ok != (want != unpack.None) {
			t.Errorf("Detect of %q is %v, %v", head[:4], got, ok)
		}
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, table, nil)
	rest := gzipped(t, "bob@example.com,+12025550124\n", nil)
	wrong := func(at int) []byte {
		b := bytes.Clone(whole)
		b[len(b)+at] ^= 1
		return b
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
		code finding.Code
	}{
		{"one member", whole, table, ""},
		{"several members", append(bytes.Clone(whole), rest...), table + "bob@example.com,+12025550124\n", ""},
		{"an empty member at the end", append(bytes.Clone(whole), gzipped(t, "", nil)...), table, ""},
		{"a long name and comment", gzipped(t, table, func(w *gzip.Writer) {
			w.Name, w.Comment, w.Extra = strings.Repeat("n", 1<<20), strings.Repeat("c", 1<<20), make([]byte, 60000)
			w.ModTime = time.Date(2106, 2, 7, 6, 28, 15, 0, time.UTC)
		}), table, ""},
		{"a checksum of the header", headerSum(whole, 0), table, ""},
		{"a wrong checksum of the header", headerSum(whole, 1), "", finding.ArchiveDamaged},
		{"an endless comment", gzipped(t, table, func(w *gzip.Writer) { w.Comment = strings.Repeat("c", 4<<20) }), "", finding.ArchiveTooLarge},
		{"gzip in gzip", gzipped(t, string(whole), nil), "", finding.ArchiveNested},
		{"cut short", whole[:len(whole)-12], "", finding.ArchiveDamaged},
		{"cut in the trailer", whole[:len(whole)-3], "", finding.ArchiveDamaged},
		{"cut in the header", whole[:5], "", finding.ArchiveDamaged},
		{"wrong checksum", wrong(-8), "", finding.ArchiveDamaged},
		{"wrong size", wrong(-1), "", finding.ArchiveDamaged},
		{"garbage at the end", append(bytes.Clone(whole), "garbage that is no member"...), "", finding.ArchiveDamaged},
		{"one byte at the end", append(bytes.Clone(whole), 0), "", finding.ArchiveDamaged},
		{"another method", append([]byte{0x1f, 0x8b, 7}, whole[3:]...), "", finding.ArchiveMethod},
		{"reserved flags", append([]byte{0x1f, 0x8b, 8, 0x80}, whole[4:]...), "", finding.ArchiveDamaged},
		{"nothing", nil, "", finding.ArchiveDamaged},
		{"members without end", bytes.Repeat(gzipped(t, "", nil), 2000), "", finding.ArchiveTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for name, in := range map[string]io.Reader{"at once": bytes.NewReader(c.file), "in halves": iotest.HalfReader(bytes.NewReader(c.file))} {
				got, err := io.ReadAll(unpack.Gzip(in, unpack.Limits{}))
				if c.code == "" && (err != nil || string(got) != c.want) {
					t.Errorf("%s: got %q, error %v", name, got, err)
				}
				if refusal, ok := errors.AsType[*finding.FileRefusal](err); c.code != "" && (!ok || refusal.Code != c.code) {
					t.Errorf("%s: error is %v, want a refusal %q", name, err, c.code)
				}
			}
		})
	}
}

// headerSum gives a file's header a checksum, wrong by that much.
func headerSum(file []byte, wrong uint16) []byte {
	head := bytes.Clone(file[:10])
	head[3] |= 1 << 1
	head = binary.LittleEndian.AppendUint16(head, uint16(crc32.ChecksumIEEE(head))+wrong)
	return append(head, file[10:]...)
}

// TestEndsOfGzip shows that no way of cutting a file ends well, and that none of its bits can be changed unnoticed but
// those that mean nothing.
func TestEndsOfGzip(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, strings.Repeat(table, 20), nil)
	if all, err := io.ReadAll(unpack.Gzip(iotest.OneByteReader(bytes.NewReader(whole)), unpack.Limits{})); err != nil || string(all) != strings.Repeat(table, 20) {
		t.Errorf("byte by byte it is %q, error %v", all, err)
	}
	for n := range len(whole) {
		if _, err := readGzip(whole[:n], unpack.Limits{}); err == nil {
			t.Errorf("the first %d of %d bytes were taken for the whole", n, len(whole))
		}
	}
	for i := 10; i < len(whole); i++ {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if got, err := readGzip(b, unpack.Limits{}); err == nil && got != strings.Repeat(table, 20) {
				t.Errorf("bit %d of byte %d was changed unnoticed", bit, i)
			}
		}
	}
}

func TestBombs(t *testing.T) {
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 16 {
		w.Write(zeros)
	}
	w.Close()
	loose := make([]byte, 2<<20) // hardly packs
	random := rand.NewChaCha8([32]byte{1})
	random.Read(loose)
	large := gzipped(t, string(loose), nil)

	for _, c := range []struct {
		name  string
		read  func() error
		code  finding.Code
		limit string
	}{
		{"gzip of zeros", func() error {
			_, err := io.Copy(io.Discard, unpack.Gzip(bytes.NewReader(bomb.Bytes()), unpack.Limits{}))
			return err
		}, finding.ArchiveTooLarge, "ratio"},
		{"gzip over the limit", func() error { _, err := readGzip(large, unpack.Limits{UnpackedBytes: 1 << 20}); return err }, finding.ArchiveTooLarge, "unpacked bytes"},
		{"gzip of too many bytes", func() error { _, err := readGzip(large, unpack.Limits{PackedBytes: 1 << 20}); return err }, finding.FileTooLarge, "packed bytes"},
		{"zip of zeros", func() error {
			_, _, err := readZip(zipped(t, entry{name: "a.csv", text: string(make([]byte, 12<<20))}), unpack.Limits{})
			return err
		}, finding.ArchiveTooLarge, "ratio"},
		{"zip over the limit", func() error {
			_, _, err := readZip(zipped(t, entry{name: "a.csv", text: string(loose)}), unpack.Limits{UnpackedBytes: 1 << 20})
			return err
		}, finding.ArchiveTooLarge, "unpacked bytes"},
		{"zip of too many bytes", func() error {
			_, _, err := readZip(zipped(t, entry{name: "a.csv", text: string(loose)}), unpack.Limits{PackedBytes: 1 << 20})
			return err
		}, finding.FileTooLarge, "packed bytes"},
		{"zip of two halves over the limit", func() error {
			half := string(loose[:900<<10])
			_, _, err := readZip(zipped(t, entry{name: "a.csv", text: half}, entry{name: "b.csv", text: half}), unpack.Limits{UnpackedBytes: 1 << 20})
			return err
		}, finding.ArchiveTooLarge, "unpacked bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			err := c.read()
			runtime.ReadMemStats(&after)
			wantRefusal(t, err, c.code, c.limit)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 128<<20 {
				t.Errorf("memory grew by %d MiB", grown>>20)
			}
		})
	}
}

func TestZip(t *testing.T) {
	t.Parallel()
	one := entry{name: "people/contacts.csv", text: table}
	flags := func(f uint16) func(*zip.FileHeader) { return func(h *zip.FileHeader) { h.Flags |= f } }
	for _, c := range []struct {
		name  string
		file  []byte
		code  finding.Code
		limit string
	}{
		{"one file", zipped(t, one), "", ""},
		{"one that is stored", zipped(t, entry{one.name, table, func(h *zip.FileHeader) { h.Method = zip.Store }}), "", ""},
		{"one in a folder, with what desktops add", zipped(t, entry{name: "people/"}, one, entry{name: "__MACOSX/people/._contacts.csv", text: "x"}, entry{name: "people/.DS_Store", text: "x"}, entry{name: "Thumbs.db"}), "", ""},
		{"backslashes", zipped(t, entry{name: `people\contacts.csv`, text: table}), "", ""},
		{"two files", zipped(t, one, entry{name: "b.csv", text: table}), finding.ArchiveNotOneFile, ""},
		{"no file", zipped(t), finding.ArchiveNotOneFile, ""},
		{"a folder alone", zipped(t, entry{name: "people/"}), finding.ArchiveNotOneFile, ""},
		{"a name that leads out", zipped(t, entry{name: "../contacts.csv", text: table}), finding.ArchiveUnsafe, ""},
		{"a name that leads out with backslashes", zipped(t, entry{name: `a\..\..\contacts.csv`, text: table}), finding.ArchiveUnsafe, ""},
		{"a name from the root", zipped(t, entry{name: "/etc/passwd", text: table}), finding.ArchiveUnsafe, ""},
		{"a name with NUL", zipped(t, entry{name: "a\x00.csv", text: table}), finding.ArchiveUnsafe, ""},
		{"a name without end", zipped(t, entry{name: strings.Repeat("n", 2000), text: table}), finding.ArchiveTooLarge, "name bytes"},
		{"a link", zipped(t, entry{one.name, "/etc/passwd", func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }}), finding.ArchiveUnsafe, ""},
		{"the same name twice", zipped(t, one, entry{name: "PEOPLE/contacts.CSV", text: "other"}), finding.ArchiveUnsafe, ""},
		{"encrypted", zipped(t, entry{one.name, table, flags(1)}), finding.ArchiveProtected, ""},
		{"another method", method(zipped(t, one), 12), finding.ArchiveMethod, ""},
		{"too many entries", zipped(t, many(10_001)...), finding.ArchiveTooLarge, "members"},
		{"far too many entries", zipped(t, many(60_000)...), finding.ArchiveTooLarge, "directory bytes"},
		{"cut short", zipped(t, one)[:100], finding.ArchiveDamaged, ""},
		{"without a directory", local(zipped(t, one)), finding.ArchiveDamaged, ""},
		{"a size that is too small", size(zipped(t, one), 5), finding.ArchiveDamaged, ""},
		{"a size that is too large", size(zipped(t, one), 5000), finding.ArchiveDamaged, ""},
		{"a size beyond all", size(zipped(t, one), 0xfffffff0), finding.ArchiveTooLarge, "ratio"},
		{"a wrong checksum", checksum(zipped(t, one)), finding.ArchiveDamaged, ""},
		{"a damaged byte", damaged(zipped(t, one)), finding.ArchiveDamaged, ""},
		{"an entry behind the end", begins(zipped(t, one), 1<<20), finding.ArchiveDamaged, ""},
		{"an entry in the directory", begins(zipped(t, one), 80), finding.ArchiveDamaged, ""},
		{"a directory before the beginning", directoryAt(zipped(t, one), 0xfffff), finding.ArchiveDamaged, ""},
		{"overlapping entries", overlapping(t), finding.ArchiveUnsafe, ""},
		{"something before and behind", append(append([]byte("MZ"), zipped(t, one)...), "tail"...), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name, text, err := readZip(c.file, unpack.Limits{})
			if c.code != "" {
				wantRefusal(t, err, c.code, c.limit)
				return
			}
			if err != nil || name != one.name || text != table {
				t.Errorf("got %q of %q, error %v", name, text, err)
			}
		})
	}
}

func many(n int) []entry {
	all := make([]entry, n)
	for i := range all {
		all[i] = entry{name: fmt.Sprintf("%d", i), change: func(h *zip.FileHeader) { h.Method = zip.Store }}
	}
	return all
}

// directory is where the first entry of the archive's directory begins.
func directory(file []byte) int { return bytes.Index(file, []byte("PK\x01\x02")) }

func method(file []byte, m uint16) []byte {
	binary.LittleEndian.PutUint16(file[directory(file)+10:], m)
	return file
}

func size(file []byte, n uint32) []byte {
	binary.LittleEndian.PutUint32(file[directory(file)+24:], n)
	return file
}

func begins(file []byte, at uint32) []byte {
	binary.LittleEndian.PutUint32(file[directory(file)+42:], at)
	return file
}

func directoryAt(file []byte, at uint32) []byte {
	binary.LittleEndian.PutUint32(file[len(file)-6:], at)
	return file
}

func checksum(file []byte) []byte {
	file[directory(file)+16] ^= 1
	return file
}

func damaged(file []byte) []byte {
	file[60] ^= 1
	return file
}

func local(file []byte) []byte { return file[:directory(file)] }

// overlapping makes an archive two of whose entries are the same bytes.
func overlapping(t *testing.T) []byte {
	file := zipped(t, entry{name: "a.csv", text: table}, entry{name: "b.csv", text: table})
	first := directory(file)
	second := first + 1 + directory(file[first+1:])
	copy(file[second+16:second+28], file[first+16:first+28]) // checksum and sizes
	binary.LittleEndian.PutUint32(file[second+42:], 0)       // where it begins
	return file
}

// brokenReader is a source that breaks off.
type brokenReader struct {
	*bytes.Reader
	after int64
}

var errSource = errors.New("the store is away")

func (b brokenReader) Read(p []byte) (int, error) {
	if b.Size()-int64(b.Len()) >= b.after {
		return 0, errSource
	}
	return b.Reader.Read(p[:min(int64(len(p)), 10)])
}

func (b brokenReader) ReadAt(p []byte, at int64) (int, error) {
	if at >= b.after && at < b.Size()-200 {
		return 0, errSource
	}
	return b.Reader.ReadAt(p, at)
}

// TestSourceErrorsAreNoDamage shows that an error of the source is passed on and not taken for a damaged file.
func TestSourceErrorsAreNoDamage(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		fmt.Fprintf(&text, "%x,", random.Uint64())
	}
	packed := gzipped(t, text.String(), nil)
	for after := int64(0); after < int64(len(packed)); after += 250 {
		if _, err := io.ReadAll(unpack.Gzip(brokenReader{bytes.NewReader(packed), after}, unpack.Limits{})); !errors.Is(err, errSource) {
			t.Fatalf("gzip breaks at %d: error is %v, want %v", after, err, errSource)
		}
	}
	archive := zipped(t, entry{name: "a.csv", text: text.String()})
	_, in, err := unpack.Zip(brokenReader{bytes.NewReader(archive), 100}, int64(len(archive)), unpack.Limits{})
	if err == nil {
		_, err = io.ReadAll(in)
	}
	if !errors.Is(err, errSource) {
		t.Errorf("zip breaks: error is %v, want %v", err, errSource)
	}
}

package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/contactmill/contactmill/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func address(t *testing.T) string {
	t.Helper()
	a := os.Getenv("CONTACTMILL_TEST_S3")
	if a == "" {
		t.Fatal("CONTACTMILL_TEST_S3 is not set: run the tests by `make test`, which starts the parts")
	}
	return a
}

func testStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), address(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// folder is a prefix of the test's own.
func folder() string { return "test/" + uuid.NewString() + "/" }

// content returns n bytes that are the same for the same seed.
func content(n int, seed byte) []byte {
	b := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{seed}).Read(b); err != nil {
		panic(err)
	}
	return b
}

func put(t *testing.T, s *Store, name string, data []byte) Object {
	t.Helper()
	o, err := s.Put(t.Context(), name, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func readAll(r io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func names(t *testing.T, s *Store, prefix string) []string {
	t.Helper()
	var all []string
	for i, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i.Name)
	}
	return all
}

// incomplete counts uploads that were begun and not ended.
func incomplete(t *testing.T, s *Store, prefix string) int {
	t.Helper()
	r, err := s.core.ListMultipartUploads(t.Context(), s.bucket, prefix, "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(r.Uploads)
}

func TestPutAndRead(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	dir := folder()
	for _, size := range []int{0, 1, firstGrant, firstGrant + 1, PartSize - 1, PartSize, PartSize + 1, 2 * PartSize, 23 << 20} {
		data := content(size, 1)
		name := fmt.Sprintf("%ssize-%d", dir, size)
		o := put(t, s, name, data)
		if want := (Object{Name: name, Size: int64(size), SHA256: sha256.Sum256(data)}); o != want {
			t.Errorf("put of %d bytes returns %+v, want %+v", size, o, want)
		}
		got, err := readAll(s.ReadVerified(t.Context(), o))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("read of %d bytes returns %d bytes, equal: %t, error: %v", size, len(got), bytes.Equal(got, data), err)
		}
		if i, err := s.Stat(t.Context(), name); err != nil || i.Size != int64(size) || i.Name != name {
			t.Errorf("stat of %d bytes returns %+v, %v", size, i, err)
		}
		inMemory, err := s.PutBytes(t.Context(), name+"-in-memory", bytes.Clone(data))
		if want := (Object{Name: name + "-in-memory", Size: int64(size), SHA256: o.SHA256}); inMemory != want || err != nil {
			t.Errorf("put of %d bytes in memory returns %+v, %v, want %+v", size, inMemory, err, want)
		}
		if got, err := readAll(s.ReadVerified(t.Context(), inMemory)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read of %d bytes returns %d bytes, equal: %t, error: %v", size, len(got), bytes.Equal(got, data), err)
		}
	}
	if n := incomplete(t, s, dir); n != 0 {
		t.Errorf("%d uploads are left, want 0", n)
	}
}

func TestGetRange(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	data := content(PartSize+100, 2)
	name := put(t, s, folder()+"ranged", data).Name
	for _, tc := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, PartSize + 100},
		{0, 1, 0, 1},
		{0, 0, 0, 0},
		{PartSize - 3, 6, PartSize - 3, PartSize + 3},
		{PartSize, -1, PartSize, PartSize + 100},
		{PartSize + 99, 1, PartSize + 99, PartSize + 100},
		{PartSize + 90, 1000, PartSize + 90, PartSize + 100},
	} {
		got, err := readAll(s.Get(t.Context(), name, tc.offset, tc.length))
		if err != nil || !bytes.Equal(got, data[tc.from:tc.to]) {
			t.Errorf("range %d+%d returns %d bytes, equal: %t, error: %v", tc.offset, tc.length, len(got), bytes.Equal(got, data[tc.from:tc.to]), err)
		}
	}
	for _, offset := range []int64{-1, PartSize + 100, PartSize + 1000} {
		if _, err := readAll(s.Get(t.Context(), name, offset, -1)); !errors.Is(err, fault.Invalid) {
			t.Errorf("offset %d: %v, want Invalid", offset, err)
		}
	}
	empty := put(t, s, folder()+"empty", nil).Name
	if got, err := readAll(s.Get(t.Context(), empty, 0, 10)); err != nil || len(got) != 0 {
		t.Errorf("range of an empty object returns %d bytes, %v", len(got), err)
	}
}

func TestAbsentIsNotFound(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	name := folder() + "absent"
	if _, err := s.Get(t.Context(), name, 0, -1); !errors.Is(err, fault.NotFound) {
		t.Errorf("get: %v, want NotFound", err)
	}
	if _, err := s.ReadVerified(t.Context(), Object{Name: name}); !errors.Is(err, fault.NotFound) {
		t.Errorf("read: %v, want NotFound", err)
	}
	if _, err := s.Stat(t.Context(), name); !errors.Is(err, fault.NotFound) {
		t.Errorf("stat: %v, want NotFound", err)
	}
	if err := s.Delete(t.Context(), name); err != nil {
		t.Errorf("delete: %v, want nil", err)
	}
}

func TestWrongContentIsDataLoss(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	name := folder() + "replaced"
	data := content(6<<20, 3)
	o := put(t, s, name, data)

	changed := slices.Clone(data)
	changed[len(changed)-1]++
	put(t, s, name, changed)
	if _, err := readAll(s.ReadVerified(t.Context(), o)); !errors.Is(err, fault.DataLoss) {
		t.Errorf("one byte differs: %v, want DataLoss", err)
	}
	put(t, s, name, data[:len(data)-1])
	if _, err := readAll(s.ReadVerified(t.Context(), o)); !errors.Is(err, fault.DataLoss) {
		t.Errorf("one byte is missing: %v, want DataLoss", err)
	}
}

func TestPutRefusesOtherSize(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	dir := folder()
	for _, size := range []int{9, 11} {
		if _, err := s.Put(t.Context(), dir+"short", bytes.NewReader(content(10, 1)), int64(size)); !errors.Is(err, fault.Invalid) {
			t.Errorf("10 bytes announced as %d: %v, want Invalid", size, err)
		}
	}
	if left := names(t, s, dir); len(left) != 0 {
		t.Errorf("objects are left: %v", left)
	}
}

func TestWriterAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	for _, size := range []int{100, 23 << 20} {
		dir := folder()
		w, err := s.Writer(t.Context(), dir+"given-up")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content(size, 4)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("write after abort succeeds")
		}
		if _, err := w.Close(); err == nil {
			t.Error("close after abort succeeds")
		}
		if left, n := names(t, s, dir), incomplete(t, s, dir); len(left) != 0 || n != 0 {
			t.Errorf("after abort %v and %d uploads are left", left, n)
		}
	}
}

func TestWriterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	for _, size := range []int{100, 12 << 20} {
		dir := folder()
		ctx, cancel := context.WithCancel(t.Context())
		w, err := s.Writer(ctx, dir+"cancelled")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content(size, 4)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := w.Close(); !errors.Is(err, fault.Cancelled) {
			t.Errorf("close of %d bytes after cancel: %v, want Cancelled", size, err)
		}
		if left, n := names(t, s, dir), incomplete(t, s, dir); len(left) != 0 || n != 0 {
			t.Errorf("after cancel %v and %d uploads are left", left, n)
		}
	}
}

func TestWriterKeepsItsMemoryBound(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	w, err := s.Writer(t.Context(), folder()+"long")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	buffers := map[*byte]bool{}
	piece := content(PartSize, 5)
	for range 8 {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		buffers[&w.buf[0]] = true
		if cap(w.buf) > PartSize {
			t.Fatalf("buffer has %d bytes, want at most %d", cap(w.buf), PartSize)
		}
	}
	if len(buffers) > inFlight+1 {
		t.Errorf("%d buffers were used, want at most %d", len(buffers), inFlight+1)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx, name := t.Context(), folder()+"parts"
	data := content(PartSize+7, 6)
	id, err := s.Begin(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	var parts []Part
	for i, d := range [][]byte{data[:PartSize], data[PartSize:]} {
		if _, err := s.Part(ctx, name, id, i+1, content(10, 9)); err != nil { // replaced by the next
			t.Fatal(err)
		}
		p, err := s.Part(ctx, name, id, i+1, d)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	for range 2 { // the second as after a lost answer
		if err := s.Complete(ctx, name, id, parts); err != nil {
			t.Fatalf("complete: %v", err)
		}
	}
	if got, err := readAll(s.Get(ctx, name, 0, -1)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("object has %d bytes, equal: %t, error: %v", len(got), bytes.Equal(got, data), err)
	}
	if err := s.Abort(ctx, name, id); err != nil {
		t.Errorf("abort after complete: %v", err)
	}
	if err := s.Complete(ctx, folder()+"other", id, parts); !errors.Is(err, fault.NotFound) {
		t.Errorf("complete of an upload that never was: %v, want NotFound", err)
	}
	if _, err := s.Part(ctx, name, id, 1, data[:3]); !errors.Is(err, fault.NotFound) {
		t.Errorf("part of a completed upload: %v, want NotFound", err)
	}
}

func TestAbortIncomplete(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	dir := folder()
	for i := range 3 {
		if _, err := s.Begin(t.Context(), fmt.Sprintf("%sup-%d", dir, i)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.AbortIncomplete(t.Context(), dir, time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("before the uploads: aborted %d, %v, want 0", n, err)
	}
	if n, err := s.AbortIncomplete(t.Context(), dir, time.Now().Add(time.Hour)); err != nil || n != 3 {
		t.Errorf("after the uploads: aborted %d, %v, want 3", n, err)
	}
	if n := incomplete(t, s, dir); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

func TestListAndDeletePrefix(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	dir := folder()
	var want []string
	for i := range pageSize/2 + 10 { // names of which one begins another, on both sides of a slash in order
		for _, sub := range []string{"a-1", "a", "a.b"}[:1+i%3] {
			want = append(want, fmt.Sprintf("%s%s/x%04d", dir, sub, i))
		}
	}
	for _, name := range want {
		put(t, s, name, []byte("x"))
	}
	sibling := strings.TrimSuffix(dir, "/") + "0/kept"
	put(t, s, sibling, []byte("x"))

	slices.Sort(want)
	if diff := cmp.Diff(want, names(t, s, dir)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if err := s.DeletePrefix(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if left := names(t, s, dir); len(left) != 0 {
		t.Errorf("%d of %d are left after DeletePrefix", len(left), len(want))
	}
	if _, err := s.Stat(t.Context(), sibling); err != nil {
		t.Errorf("the sibling whose name begins alike: %v", err)
	}
	if err := s.DeletePrefix(t.Context(), dir); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	a, j := uuid.MustParse("0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a39"), uuid.MustParse("0190a5c0-8d2c-7c4f-8b5e-4a1f7d6c5b4a")
	if got, want := RawName(a, j), "raw/"+a.String()+"/"+j.String(); got != want || checkName(got) != nil {
		t.Errorf("raw name is %s, want %s", got, want)
	}
	if got, want := WorkName(a, j, "merge", 12, "outcomes"), "work/"+a.String()+"/"+j.String()+"/merge-12/outcomes"; got != want || checkName(got) != nil {
		t.Errorf("work name is %s, want %s", got, want)
	}
	for _, bad := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a..b", "A", "a b", "ä", "a\x00", "a%2fb", strings.Repeat("a", 201), strings.Repeat("a/", 256) + "a"} {
		if err := checkName(bad); !errors.Is(err, fault.Invalid) {
			t.Errorf("name %q: %v, want Invalid", bad, err)
		}
	}
	for _, bad := range []string{"", "/", "a", "a/../"} {
		if err := checkPrefix(bad); !errors.Is(err, fault.Invalid) {
			t.Errorf("prefix %q: %v, want Invalid", bad, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "ftp://a:b@h/b", "http://h/b", "http://a@h/b", "http://a:geheim@h", "http://a:geheim@h/b/c", "http://a:geheim@/b", "http://a:geheim@h:x y/b"} {
		if _, err := Open(t.Context(), bad); !errors.Is(err, fault.Invalid) || strings.Contains(fmt.Sprint(err), "geheim") {
			t.Errorf("open %q: %v, want Invalid without the secret", bad, err)
		}
	}
	u, err := url.Parse(address(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "wrong")
	if _, err := Open(t.Context(), u.String()); !errors.Is(err, fault.Unavailable) || fault.Code(err) != "blob-denied" {
		t.Errorf("open with a wrong secret: %v, want Unavailable, blob-denied", err)
	}
}

// faulty puts a proxy before the server that does to each request what trouble says.
func faulty(t *testing.T, trouble func(w http.ResponseWriter, r *http.Request, next http.Handler)) *Store {
	t.Helper()
	testStore(t)
	u, err := url.Parse(address(t))
	if err != nil {
		t.Fatal(err)
	}
	lines := &http.Transport{DisableCompression: true}
	next := &httputil.ReverseProxy{
		Transport: lines,
		ErrorLog:  quiet(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: u.Scheme, Host: u.Host})
			r.Out.Host = r.In.Host // signed
		},
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { trouble(w, r, next) }))
	srv.Config.ErrorLog = quiet()
	srv.Start()
	via := *u
	via.Host = strings.TrimPrefix(srv.URL, "http://")
	s, err := newStore(via.String(), limits{
		call: 10 * time.Second, part: 10 * time.Second, complete: 10 * time.Second, idle: 200 * time.Millisecond,
		tries: 5, wait: time.Millisecond, waitMost: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		srv.Close()
		lines.CloseIdleConnections()
	})
	return s
}

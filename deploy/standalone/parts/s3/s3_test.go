package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/contactmill/contactmill/deploy/standalone/parts/child"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Part{Part: Serve})
	os.Exit(m.Run())
}

func start(t testing.TB, o Options) (*Server, *minio.Core) {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := u.User.Password()
	client, err := minio.NewCore(u.Host, &minio.Options{Creds: credentials.NewStaticV4(u.User.Username(), secret, ""), Region: region, MaxRetries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

const bucket = "contactmill"

func put(ctx context.Context, c *minio.Core, key string, body []byte) error {
	_, err := c.PutObject(ctx, bucket, key, bytes.NewReader(body), int64(len(body)), "", "", minio.PutObjectOptions{})
	return err
}

func get(t *testing.T, c *minio.Core, key string) []byte {
	t.Helper()
	r, _, _, err := c.GetObject(t.Context(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	return b
}

func list(t *testing.T, c *minio.Core, prefix string) []string {
	t.Helper()
	var keys []string
	for object := range c.Client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			t.Fatalf("list %s: %v", prefix, object.Err)
		}
		keys = append(keys, object.Key)
	}
	return keys
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestObjectsBothWaysOfMetadata(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"attributes", "files"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := Options{Dir: t.TempDir()}
			if err := os.WriteFile(filepath.Join(o.Dir, "metadata"), []byte(kind), 0o600); err != nil {
				t.Fatal(err)
			}
			s, c := start(t, o)
			small, whole := random(100), random(5<<20+5<<20+77)

			if err := put(t.Context(), c, "raw/a/one", small); err != nil {
				t.Fatal(err)
			}
			id, err := c.NewMultipartUpload(t.Context(), bucket, "work/a/j/match-1/chunk", minio.PutObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var parts []minio.CompletePart
			for i, from := range []int{0, 5 << 20, 10 << 20} {
				piece := whole[from:min(from+5<<20, len(whole))]
				part, err := c.PutObjectPart(t.Context(), bucket, "work/a/j/match-1/chunk", id, i+1, bytes.NewReader(piece), int64(len(piece)), minio.PutObjectPartOptions{})
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, minio.CompletePart{PartNumber: i + 1, ETag: part.ETag})
			}
			if _, err := c.CompleteMultipartUpload(t.Context(), bucket, "work/a/j/match-1/chunk", id, parts, minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.CopyObject(t.Context(), bucket, "raw/a/one", bucket, "raw/b/two", nil, minio.CopySrcOptions{}, minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}

			s.Kill()
			_, c = start(t, o)
			for key, want := range map[string][]byte{"raw/a/one": small, "raw/b/two": small, "work/a/j/match-1/chunk": whole} {
				if got := get(t, c, key); sha256.Sum256(got) != sha256.Sum256(want) {
					t.Errorf("%s has %d bytes, want the %d bytes that were put", key, len(got), len(want))
				}
			}
			if err := c.RemoveObject(t.Context(), bucket, "raw/a/one", minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := c.RemoveObject(t.Context(), bucket, "raw/a/one", minio.RemoveObjectOptions{}); err != nil {
				t.Errorf("a second deletion: %v, want none", err)
			}
			objects := make(chan minio.ObjectInfo, 1)
			objects <- minio.ObjectInfo{Key: "work/a/j/match-1/chunk"}
			close(objects)
			for failed := range c.Client.RemoveObjects(t.Context(), bucket, objects, minio.RemoveObjectsOptions{}) {
				t.Error(failed.Err)
			}
			if diff := cmp.Diff([]string{"raw/b/two"}, list(t, c, "")); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if _, err := os.Stat(filepath.Join(o.Dir, "data", bucket, "work")); err == nil {
				t.Error("the directories of deleted objects are still there")
			}
		})
	}
}

func TestALatePartDoesNotBringItsUploadBack(t *testing.T) {
	t.Parallel()
	_, c := start(t, Options{Dir: t.TempDir()})
	const key = "raw/a/late"
	id, err := c.NewMultipartUpload(t.Context(), bucket, key, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	put := make(chan error, 1)
	go func() {
		_, err := c.PutObjectPart(t.Context(), bucket, key, id, 1, r, 5<<20, minio.PutObjectPartOptions{})
		put <- err
	}()
	if _, err := w.Write(random(4 << 20)); err != nil { // more than fits on the way: the server has begun
		t.Fatal(err)
	}
	if err := c.AbortMultipartUpload(t.Context(), bucket, key, id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(random(1 << 20)); err != nil {
		t.Fatal(err)
	}
	_ = w.Close() // a pipe has no error to tell here
	if err := <-put; minio.ToErrorResponse(err).Code != minio.NoSuchUpload {
		t.Errorf("the rest of the part: %v, want %s", err, minio.NoSuchUpload)
	}
	left, err := c.ListMultipartUploads(t.Context(), bucket, "", "", "", "", 10)
	if err != nil || len(left.Uploads) != 0 {
		t.Errorf("uploads %v are left, error %v", left.Uploads, err)
	}
}

func TestAcknowledgedPutsSurviveKill(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	s, c := start(t, o)
	body := random(3 << 20)
	const killAt = 10
	acknowledged := 0
	for i := 0; ; i++ {
		if i == killAt {
			// in the middle of the next put
			go s.Kill()
		}
		if err := put(t.Context(), c, fmt.Sprintf("k/%03d", i), body); err != nil {
			break
		}
		acknowledged++
	}
	<-s.Done()

	o.Port = s.Port()
	again, c := start(t, o)
	if again.URL() != s.URL() {
		t.Error("another URL after the restart on the same port")
	}
	keys := list(t, c, "k/")
	if len(keys) < acknowledged {
		t.Errorf("%d objects after kill -9, want at least the %d acknowledged ones", len(keys), acknowledged)
	}
	for _, key := range keys {
		if !bytes.Equal(get(t, c, key), body) {
			t.Errorf("%s is torn", key)
		}
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
	if err := again.Err(); err != nil {
		t.Errorf("ended with %v, want a clean end", err)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	_, c := start(t, Options{Dir: t.TempDir()})
	stranger, err := minio.NewCore(c.EndpointURL().Host, &minio.Options{Creds: credentials.NewStaticV4("someone", "secretsecret", ""), Region: region, MaxRetries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), stranger, "k", nil); err == nil {
		t.Error("a put with a wrong key succeeded")
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(t.Context(), Options{Dir: t.TempDir(), Port: l.Addr().(*net.TCPAddr).Port})
	if err == nil || !strings.Contains(err.Error(), "is taken") {
		t.Errorf("error %v, want one that says that the port is taken", err)
	}
}

// TestDirectoriesForgetWhatMayBeGone walks through the ways in which a put and a deletion may overlap.
func TestDirectoriesForgetWhatMayBeGone(t *testing.T) {
	t.Parallel()
	known := func(walk func(d *directories)) bool {
		d := newDirectories()
		walk(d)
		return d.known("a")
	}
	a := []string{"a"}
	for name, test := range map[string]struct {
		walk func(d *directories)
		want bool
	}{
		"put":                           {func(d *directories) { d.learn(d.begin(), a) }, true},
		"put, deletion":                 {func(d *directories) { d.learn(d.begin(), a); d.removing(a)() }, false},
		"put, deletion elsewhere":       {func(d *directories) { d.learn(d.begin(), a); d.removing([]string{"b"})() }, true},
		"put within a deletion":         {func(d *directories) { done := d.removing(a); d.learn(d.begin(), a); done() }, false},
		"put begun in a deletion":       {func(d *directories) { done := d.removing(a); term := d.begin(); done(); d.learn(term, a) }, false},
		"deletion begun in a put":       {func(d *directories) { term := d.begin(); done := d.removing(a); d.learn(term, a); done() }, false},
		"deletion within a put":         {func(d *directories) { term := d.begin(); d.removing(a)(); d.learn(term, a) }, false},
		"put after a deletion":          {func(d *directories) { d.removing(a)(); d.learn(d.begin(), a) }, true},
		"more than can be remembered":   {func(d *directories) { many(d); d.learn(d.begin(), a) }, true},
		"forgotten when there are more": {func(d *directories) { d.learn(d.begin(), a); many(d); d.learn(d.begin(), []string{"b"}) }, false},
	} {
		if got := known(test.walk); got != test.want {
			t.Errorf("%s: known %v, want %v", name, got, test.want)
		}
	}
}

func many(d *directories) {
	dirs := make([]string, rememberedDirectories+1)
	for i := range dirs {
		dirs[i] = fmt.Sprint("many/", i)
	}
	d.learn(d.begin(), dirs)
}

func BenchmarkPut100KiB(b *testing.B) {
	_, c := start(b, Options{Dir: b.TempDir()})
	body := random(100 << 10)
	b.SetBytes(int64(len(body)))
	for i := 0; b.Loop(); i++ {
		if err := put(b.Context(), c, fmt.Sprintf("work/account/job/validate-1/%06d", i), body); err != nil {
			b.Fatal(err)
		}
	}
}

package blob

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/contactmill/contactmill/pkg/fault"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func cut() { panic(http.ErrAbortHandler) }

func TestCallsAreTriedAgain(t *testing.T) {
	t.Parallel()
	var calls sync.Map // of *atomic.Int64 by method and URL
	s := faulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		n, _ := calls.LoadOrStore(r.Method+r.URL.String(), new(atomic.Int64))
		switch n.(*atomic.Int64).Add(1) % 4 {
		case 1:
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		case 2: // done, but the answer is lost
			next.ServeHTTP(httptest.NewRecorder(), r)
			cut()
		case 3:
			cut()
		default:
			next.ServeHTTP(w, r)
		}
	})
	dir, data := folder(), content(12<<20, 7)
	for _, size := range []int{100, len(data)} {
		o := put(t, s, dir+"stubborn", data[:size])
		got, err := readAll(s.ReadVerified(t.Context(), o))
		if err != nil || !bytes.Equal(got, data[:size]) {
			t.Errorf("read of %d bytes: %d bytes, equal: %t, error: %v", size, len(got), bytes.Equal(got, data[:size]), err)
		}
	}
	if got := names(t, s, dir); len(got) != 1 {
		t.Errorf("names are %v, want one", got)
	}
	if err := s.DeletePrefix(t.Context(), dir); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestTriesEnd(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := faulty(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		calls.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	})
	if _, err := s.Put(t.Context(), folder()+"never", bytes.NewReader([]byte("x")), 1); !errors.Is(err, fault.Unavailable) {
		t.Errorf("put: %v, want Unavailable", err)
	}
	if calls.Load() != 5 {
		t.Errorf("tried %d times, want 5", calls.Load())
	}
}

// cutter lets through a number of bytes of a body and then ends the line, or stalls.
type cutter struct {
	http.ResponseWriter
	left  int
	stall <-chan struct{} // nil: cut
}

func (c *cutter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	c.left -= n
	if err != nil || c.left > 0 {
		return n, err
	}
	if f, ok := c.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	if c.stall != nil {
		<-c.stall
	}
	cut()
	return n, nil
}

func TestReadGoesOnAfterCutsAndStalls(t *testing.T) {
	t.Parallel()
	var gets atomic.Int64
	s := faulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "" {
			switch n := gets.Add(1); {
			case n <= 3:
				w = &cutter{ResponseWriter: w, left: 300_000}
			case n == 4:
				w = &cutter{ResponseWriter: w, left: 300_000, stall: r.Context().Done()}
			}
		}
		next.ServeHTTP(w, r)
	})
	data := content(6<<20, 8)
	o := put(t, s, folder()+"cut", data)
	got, err := readAll(s.ReadVerified(t.Context(), o))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, equal: %t, error: %v", len(got), bytes.Equal(got, data), err)
	}
	if gets.Load() < 5 {
		t.Errorf("%d calls, want at least 5: three cuts, a stall, and the rest", gets.Load())
	}
}

func TestReadNoticesReplacement(t *testing.T) {
	t.Parallel()
	var gets atomic.Int64
	replace := make(chan struct{})
	s := faulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && gets.Add(1) == 1 {
			w = &cutter{ResponseWriter: w, left: 300_000, stall: replace}
		}
		next.ServeHTTP(w, r)
	})
	name := folder() + "replaced"
	put(t, s, name, content(6<<20, 9))
	r, err := s.Get(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	put(t, s, name, content(6<<20, 10))
	close(replace)
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, fault.DataLoss) || fault.Code(err) != "blob-changed" {
		t.Errorf("read of a replaced object: %v, want DataLoss, blob-changed", err)
	}
}

func TestCompleteWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		done bool // the first try, whose answer is lost, did its work
		want error
	}{
		"done":     {true, nil},
		"not done": {false, fault.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int64
			s := faulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") {
					next.ServeHTTP(w, r)
					return
				}
				if tries.Add(1) > 1 { // as servers do that forget an upload once it is an object
					w.WriteHeader(http.StatusNotFound)
					_, _ = io.WriteString(w, "<Error><Code>NoSuchUpload</Code></Error>")
					return
				}
				if tc.done {
					next.ServeHTTP(httptest.NewRecorder(), r)
				}
				cut()
			})
			ctx, object := t.Context(), folder()+"parts"
			id, err := s.Begin(ctx, object)
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Part(ctx, object, id, 1, content(100, 1))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Complete(ctx, object, id, []Part{p}); !errors.Is(err, tc.want) {
				t.Errorf("complete: %v, want %v", err, tc.want)
			}
		})
	}
}

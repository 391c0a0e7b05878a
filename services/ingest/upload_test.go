package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/ingest"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	for name, size := range map[string]int{"small": 100, "one part": blob.PartSize, "one byte more": blob.PartSize + 1, "several parts": 2*blob.PartSize + 12345} {
		for _, declared := range []bool{true, false} {
			content := noise(size, byte(size))
			h := header(uuid.NewString(), content)
			if !declared {
				h.Size, h.Sha256 = 0, ""
			}
			resp, err := c.upload(t.Context(), h, content)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			sum := sha256.Sum256(content)
			j := resp.GetJob()
			if resp.GetExisting() || j.GetFileSize() != int64(size) || j.GetFileSha256() != hex.EncodeToString(sum[:]) || j.GetRequestId() != h.GetRequestId() ||
				j.GetState() != ingestv1.JobState_JOB_STATE_QUEUED || j.GetCounts() == nil || j.GetFileName() != "contacts.csv" {
				t.Errorf("%s: answered %v", name, resp)
			}
			u, err := c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: h.GetRequestId()})
			if err != nil || u.GetJob().GetId() != j.GetId() || u.GetOffset() != int64(size) {
				t.Fatalf("%s: GetUpload answers %v, %v", name, u, err)
			}
			if got := w.content("raw/" + c.account.String() + "/" + u.GetUploadId()); !bytes.Equal(got, content) {
				t.Errorf("%s: %d other bytes are stored", name, len(got))
			}
		}
	}
}

// A stream that breaks is gone on with at another replica, at the offset that is durable.
func TestUploadResumesOnAnotherReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	first, second := w.replica(), w.replica()
	a, b := first.client(account), second.client(account)
	content := noise(3*blob.PartSize+777, 1)
	h := header("cut", content)

	s, err := a.open(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if err := send(s, content[:2*blob.PartSize+999]); err != nil {
		t.Fatal(err)
	}
	var u *ingestv1.GetUploadResponse
	until(t, "two durable parts", func() bool {
		u, err = b.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: "cut"})
		return err == nil && u.GetOffset() == 2*blob.PartSize
	})
	if u.GetExpiresAt().AsTime().Before(time.Now()) || u.GetJob() != nil {
		t.Errorf("upload under way is %v", u)
	}
	first.stop()
	if _, err := s.CloseAndRecv(); fault.Of(err) != fault.Unavailable {
		t.Errorf("upload on a replica that stops ends with %v, want Unavailable", err)
	}

	h.UploadId, h.Offset = u.GetUploadId(), u.GetOffset()-1
	_, err = b.upload(t.Context(), h, content)
	wanted(t, "resume at another offset", err, fault.Invalid, "wrong-offset")
	h.Offset = u.GetOffset()
	h.Settings.List = "other"
	_, err = b.upload(t.Context(), h, content)
	wanted(t, "resume with other settings", err, fault.Exists, "request-id-reused")
	h.Settings.List = ""
	stranger := second.client(uuid.New())
	_, err = stranger.upload(t.Context(), h, content)
	wanted(t, "resume somebody else's", err, fault.NotFound, "unknown-upload")

	resp, err := b.upload(t.Context(), h, content)
	if err != nil {
		t.Fatalf("resume: %v", err)
	}
	if resp.GetExisting() || resp.GetJob().GetFileSha256() != h.GetSha256() {
		t.Errorf("resumed upload is answered with %v", resp)
	}
	if got := w.content("raw/" + account.String() + "/" + u.GetUploadId()); !bytes.Equal(got, content) {
		t.Errorf("%d other bytes are stored", len(got))
	}
	resp, err = b.upload(t.Context(), h, content)
	if err != nil || !resp.GetExisting() {
		t.Errorf("resumed once more after it was accepted: %v, %v; want the same job", resp, err)
	}
}

// The stream that resumed is the only writer: the one before it cannot save a part any more.
func TestOlderStreamIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	content := noise(4*blob.PartSize, 2)
	h := header("taken over", content)
	older, err := c.open(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if err := send(older, content[:blob.PartSize+1]); err != nil {
		t.Fatal(err)
	}
	var u *ingestv1.GetUploadResponse
	until(t, "a durable part", func() bool {
		u, err = c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: h.GetRequestId()})
		return err == nil && u.GetOffset() == blob.PartSize
	})
	resumed := header(h.GetRequestId(), content)
	resumed.UploadId, resumed.Offset = u.GetUploadId(), u.GetOffset()
	newer, err := c.open(t.Context(), resumed)
	if err != nil {
		t.Fatal(err)
	}
	if err := send(newer, content[blob.PartSize:3*blob.PartSize+1]); err != nil {
		t.Fatal(err)
	}
	until(t, "the newer stream's parts", func() bool {
		u, err = c.uploads.GetUpload(t.Context(), &ingestv1.GetUploadRequest{RequestId: h.GetRequestId()})
		return err == nil && u.GetOffset() == 3*blob.PartSize
	})
	// other bytes, which must not get into the file
	if err := send(older, noise(3*blob.PartSize-1, 9)); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if _, err := older.CloseAndRecv(); err == nil {
		t.Error("the older stream is answered with a job")
	}
	if err := send(newer, content[3*blob.PartSize+1:]); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	resp, err := newer.CloseAndRecv()
	if err != nil {
		// The older one may have put other bytes in the place of a part: then the store refuses, and nothing is accepted.
		wanted(t, "newer stream", err, fault.Aborted, "upload-damaged")
		return
	}
	if got := w.content("raw/" + c.account.String() + "/" + u.GetUploadId()); !bytes.Equal(got, content) || resp.GetJob().GetFileSha256() != h.GetSha256() {
		t.Errorf("%d other bytes are stored", len(got))
	}
}

func TestSameRequestIDAtOnceIsOneJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	clients := []*client{w.replica().client(account), w.replica().client(account)}
	content := noise(50_000, 3)
	const streams = 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	jobs, fresh := map[string]int{}, 0
	for i := range streams {
		wg.Go(func() {
			resp, err := clients[i%2].upload(t.Context(), header("same", content), content)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
				return
			}
			jobs[resp.GetJob().GetId()]++
			if !resp.GetExisting() {
				fresh++
			}
		})
	}
	wg.Wait()
	if len(jobs) != 1 || fresh != 1 {
		t.Errorf("%d streams made jobs %v, %d of them new; want one", streams, jobs, fresh)
	}
	until(t, "one object", func() bool { return len(w.objects("raw/")) == 1 })
	list, err := clients[0].jobs.ListJobs(t.Context(), &ingestv1.ListJobsRequest{})
	if err != nil || len(list.GetJobs()) != 1 || list.GetJobs()[0].GetNumber() != 1 {
		t.Errorf("jobs are %v, %v, want job 1", list, err)
	}
}

func TestRequestIDWithOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	content, other := []byte("email\na@example.com\n"), []byte("email\nb@example.com\n")
	if _, err := c.upload(t.Context(), header("r", content), content); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ingestv1.UploadHeader) []byte{
		"other bytes":             func(h *ingestv1.UploadHeader) []byte { *h = *header("r", other); return other },
		"other bytes, undeclared": func(h *ingestv1.UploadHeader) []byte { h.Size, h.Sha256 = 0, ""; return other },
		"other mode":              func(h *ingestv1.UploadHeader) []byte { h.Settings.Mode = ingestv1.Mode_MODE_UPSERT; return content },
		"other mapping": func(h *ingestv1.UploadHeader) []byte {
			h.Settings.Mapping = map[string]string{"x": "email"}
			return content
		},
		"other list, undeclared": func(h *ingestv1.UploadHeader) []byte {
			h.Size, h.Sha256, h.Settings.List = 0, "", "l"
			return content
		},
	} {
		h := header("r", content)
		_, err := c.upload(t.Context(), h, change(h))
		wanted(t, name, err, fault.Exists, "request-id-reused")
	}
	h := header("r", content)
	h.Size, h.Sha256, h.FileName = 0, "", "renamed.csv"
	if resp, err := c.upload(t.Context(), h, content); err != nil || !resp.GetExisting() {
		t.Errorf("the same again, undeclared: %v, %v", resp, err)
	}
	until(t, "one object", func() bool { return len(w.objects("raw/")) == 1 })
	// With size and checksum declared nobody reads the file.
	s, err := c.open(t.Context(), header("r", content))
	if err != nil {
		t.Fatal(err)
	}
	var resp ingestv1.UploadResponse
	if err := s.RecvMsg(&resp); err != nil || !resp.GetExisting() {
		t.Errorf("declared and not sent: %v, %v, want the job before the file", &resp, err)
	}
	// Another account's request ids are its own.
	if resp, err := w.replica().client(uuid.New()).upload(t.Context(), header("r", other), other); err != nil || resp.GetExisting() {
		t.Errorf("same request id of another account: %v, %v", resp, err)
	}
}

func TestBadUploadsLeaveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica(func(cfg *ingest.Config) { cfg.MaxFileSize = 2*blob.PartSize + 100 }).client(uuid.New())
	small, large := []byte("email\na@example.com\n"), noise(blob.PartSize+100, 4)
	for name, tc := range map[string]struct {
		content []byte
		change  func(*ingestv1.UploadHeader)
		kind    fault.Kind
		code    string
	}{
		"empty":                  {nil, func(h *ingestv1.UploadHeader) {}, fault.Invalid, "empty-file"},
		"checksum":               {small, func(h *ingestv1.UploadHeader) { h.Sha256 = strings.Repeat("0", 64) }, fault.Invalid, "checksum-mismatch"},
		"checksum, parts":        {large, func(h *ingestv1.UploadHeader) { h.Sha256 = strings.Repeat("0", 64) }, fault.Invalid, "checksum-mismatch"},
		"short":                  {small, func(h *ingestv1.UploadHeader) { h.Size++ }, fault.Invalid, "size-mismatch"},
		"short, parts":           {large, func(h *ingestv1.UploadHeader) { h.Size++ }, fault.Invalid, "size-mismatch"},
		"long":                   {small, func(h *ingestv1.UploadHeader) { h.Size-- }, fault.Invalid, "size-mismatch"},
		"long, parts":            {large, func(h *ingestv1.UploadHeader) { h.Size-- }, fault.Invalid, "size-mismatch"},
		"over the limit":         {small, func(h *ingestv1.UploadHeader) { h.Size = 3 * blob.PartSize }, fault.Invalid, "file-too-large"},
		"over the limit, silent": {noise(2*blob.PartSize+101, 5), func(h *ingestv1.UploadHeader) { h.Size, h.Sha256 = 0, "" }, fault.Invalid, "file-too-large"},
		"no request id":          {small, func(h *ingestv1.UploadHeader) { h.RequestId = "" }, fault.Invalid, "request-id-invalid"},
		"long request id":        {small, func(h *ingestv1.UploadHeader) { h.RequestId = strings.Repeat("x", 129) }, fault.Invalid, "request-id-invalid"},
		"request id with LF":     {small, func(h *ingestv1.UploadHeader) { h.RequestId = "a\nb" }, fault.Invalid, "request-id-invalid"},
		"unknown mode":           {small, func(h *ingestv1.UploadHeader) { h.Settings.Mode = 9 }, fault.Invalid, "mode-invalid"},
		"check and review":       {small, func(h *ingestv1.UploadHeader) { h.Settings.Check, h.Settings.Review = true, true }, fault.Invalid, "check-and-review"},
		"unknown field":          {small, func(h *ingestv1.UploadHeader) { h.Settings.Mapping = map[string]string{"a": "shoe_size"} }, fault.Invalid, "unknown-field"},
		"bad recipient":          {small, func(h *ingestv1.UploadHeader) { h.Settings.Recipients = []string{"a@example.com\r\nBcc: x@y"} }, fault.Invalid, "recipient-invalid"},
		"21 recipients":          {small, func(h *ingestv1.UploadHeader) { h.Settings.Recipients = make([]string, 21) }, fault.Invalid, "too-many-recipients"},
		"list with LF":           {small, func(h *ingestv1.UploadHeader) { h.Settings.List = "a\nb" }, fault.Invalid, "list-name-invalid"},
		"bad checksum":           {small, func(h *ingestv1.UploadHeader) { h.Sha256 = "zz" }, fault.Invalid, "checksum-invalid"},
		"negative size":          {small, func(h *ingestv1.UploadHeader) { h.Size = -1 }, fault.Invalid, "size-negative"},
		"offset alone":           {small, func(h *ingestv1.UploadHeader) { h.Offset = 1 }, fault.Invalid, "upload-id-missing"},
		"unknown upload":         {small, func(h *ingestv1.UploadHeader) { h.UploadId = uuid.NewString() }, fault.NotFound, "unknown-upload"},
	} {
		h := header(uuid.NewString(), tc.content)
		tc.change(h)
		_, err := c.upload(t.Context(), h, append([]byte{}, tc.content...))
		wanted(t, name, err, tc.kind, tc.code)
	}
	if names := w.objects("raw/"); len(names) != 0 {
		t.Errorf("refused uploads left %v", names)
	}
	list, err := c.jobs.ListJobs(t.Context(), &ingestv1.ListJobsRequest{})
	if err != nil || len(list.GetJobs()) != 0 {
		t.Errorf("refused uploads made %v, %v", list, err)
	}
}

func TestStreamRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	head := func() *ingestv1.UploadRequest {
		h := header(uuid.NewString(), nil)
		h.Sha256 = ""
		return &ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: h}}
	}
	chunk := func(n int) *ingestv1.UploadRequest {
		return &ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: make([]byte, n)}}
	}
	many := []*ingestv1.UploadRequest{head()}
	for range 10_100 {
		many = append(many, chunk(0))
	}
	for name, tc := range map[string]struct {
		messages []*ingestv1.UploadRequest
		kind     fault.Kind
		code     string
	}{
		"nothing":           {nil, fault.Invalid, "header-missing"},
		"chunk first":       {[]*ingestv1.UploadRequest{chunk(1)}, fault.Invalid, "header-missing"},
		"no part first":     {[]*ingestv1.UploadRequest{{}}, fault.Invalid, "header-missing"},
		"header twice":      {[]*ingestv1.UploadRequest{head(), head()}, fault.Invalid, "header-repeated"},
		"header after":      {[]*ingestv1.UploadRequest{head(), chunk(1), head()}, fault.Invalid, "header-repeated"},
		"chunk over 1 MiB":  {[]*ingestv1.UploadRequest{head(), chunk(1<<20 + 1)}, fault.Invalid, "chunk-too-large"},
		"chunk over 4 MiB":  {[]*ingestv1.UploadRequest{head(), chunk(4<<20 + 1)}, fault.Exhausted, "exhausted"},
		"many empty chunks": {many, fault.Exhausted, "too-many-messages"},
	} {
		s, err := c.uploads.Upload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tc.messages {
			if err := s.Send(m); err != nil {
				break // the answer is there
			}
		}
		_, err = s.CloseAndRecv()
		wanted(t, name, err, tc.kind, tc.code)
	}
}

func TestSilentStreamIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica(func(cfg *ingest.Config) { cfg.UploadIdle, cfg.Uploads = time.Second, 1 })
	c := r.client(uuid.New())
	s, err := c.open(t.Context(), header("silent", []byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	var resp ingestv1.UploadResponse
	wanted(t, "silence", s.RecvMsg(&resp), fault.Deadline, "upload-idle")
	c.mustUpload("email\na@example.com\n") // the only slot is free again
}

// A client that goes away after the last byte finds its job.
func TestClientGoneAfterLastByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	content := noise(1<<20, 6)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.open(ctx, header("gone", content))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(s, content); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	cancel()
	first, err := c.upload(t.Context(), header("gone", content), content)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.upload(t.Context(), header("gone", content), content)
	if err != nil || !again.GetExisting() || again.GetJob().GetId() != first.GetJob().GetId() {
		t.Errorf("tried again: %v, %v, want job %s", again, err, first.GetJob().GetId())
	}
}

func TestFileNameIsData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	for given, want := range map[string]string{
		"../../etc/passwd":         "../../etc/passwd",
		"a\x00b\r\nc\td":           "abcd",
		"'; DROP TABLE jobs; $(x)": "'; DROP TABLE jobs; $(x)",
		strings.Repeat("é", 5000):  strings.Repeat("é", 127),
		"":                         "",
	} {
		content := []byte("email\na@example.com\n")
		h := header(uuid.NewString(), content)
		h.FileName = given
		resp, err := c.upload(t.Context(), h, content)
		if err != nil || resp.GetJob().GetFileName() != want {
			t.Errorf("file name %.20q became %q, %v", given, resp.GetJob().GetFileName(), err)
		}
	}
}

func TestNoCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.replica()
	c := r.client(uuid.New())
	c.conn.Close()
	bad := *c
	bad.conn = dial(t, r.addr, "cm_wrong")
	bad.uploads = ingestv1.NewUploadServiceClient(bad.conn)
	content := []byte("x")
	if _, err := bad.upload(t.Context(), header("a", content), content); fault.Of(err) != fault.Unauthenticated {
		t.Errorf("upload with a bad key: %v, want Unauthenticated", err)
	}
}

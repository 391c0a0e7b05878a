package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/contactmill/contactmill/pkg/fault"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	chunkSize = 256 << 10

	// patience is how long an upload that breaks is resumed for, counted from the last byte that went through.
	patience = 2 * time.Minute

	// firstPatience is how long a server that never answered is tried.
	firstPatience = 10 * time.Second
)

func (p *program) importCommand() *cobra.Command {
	var mode, request, asOf string
	var wait bool
	var says said
	var ruled ruled
	s := &ingestv1.ImportSettings{}
	c := &cobra.Command{Use: "import FILE", Short: "Hand in a file of contacts; - reads standard input", Args: args(cobra.ExactArgs(1))}
	f := c.Flags()
	f.StringVar(&mode, "mode", "", "needed: add (new contacts only), update (known ones only) or upsert (both); a report that was\ncorrected goes by its job's if not given")
	f.StringVar(&s.List, "list", "", "list the contacts join; made if missing")
	f.BoolVar(&s.Check, "check", false, "check only: say what would become of each row, change nothing")
	f.BoolVar(&s.Review, "review", false, "stop with the plan before anything is spent or changed, until somebody approves it")
	f.StringVar(&request, "request-id", "", "the submission's own id: the same id sent again is the same job")
	f.StringSliceVar(&s.Recipients, "recipient", nil, "who else is told by email")
	f.BoolVar(&wait, "wait", false, "wait until the job is final or waits for a person")
	f.StringVar(&asOf, "as-of", "", "when the file's values were so, e.g. \"2026-03-01 14:05\": for the rule newest; now if not given")
	ruled.add(f, "", "all of them")
	says.flags(f)
	c.RunE = func(c *cobra.Command, a []string) error {
		var err error
		if mode != "" {
			if s.Mode, err = importMode(mode); err != nil {
				return err
			}
		}
		if s.Check && s.Review {
			return usage{errors.New("--check and --review: say one of them")}
		}
		if err := says.read(); err != nil {
			return err
		}
		says.settings(s)
		if s.AsOf, err = instant("--as-of", asOf); err != nil {
			return err
		}
		if err := ruled.settings(s); err != nil {
			return err
		}
		if request == "" {
			request = uuid.Must(uuid.NewV7()).String()
		}
		if mode == "" && a[0] == "-" {
			return usage{errModeNeeded}
		}
		client, err := p.client()
		if err != nil {
			return err
		}
		if mode == "" {
			if err := p.needsNoMode(c.Context(), client, a[0], s); err != nil {
				return err
			}
		}
		if ruled.keysGiven() && len(s.Policies.Keys) == 0 { // else it would be those of the account
			if s.Policies.Keys, err = p.allKeys(c); err != nil {
				return err
			}
		}
		b := p.bar(filepath.Base(a[0]))
		defer b.end()
		job, err := p.upload(c.Context(), client, a[0], &ingestv1.UploadHeader{RequestId: request, Settings: s}, b)
		if err != nil && c.Context().Err() != nil {
			return interrupted{"stopped before the file was handed in", "the same command with --request-id " + request + " goes on where this one stopped"}
		}
		if err != nil {
			return err
		}
		if !wait {
			b.end()
			return p.job(job)
		}
		return p.follow(c.Context(), client, job, b)
	}
	return c
}

var errModeNeeded = errors.New("--mode is needed: say add, update or upsert")

func importMode(s string) (ingestv1.Mode, error) {
	v, ok := ingestv1.Mode_value["MODE_"+strings.ToUpper(s)]
	if !ok || v == 0 {
		return 0, usage{fmt.Errorf("--mode %q: say add, update or upsert", s)}
	}
	return ingestv1.Mode(v), nil
}

// upload hands a file in and resumes where the server is when the connection breaks.
func (p *program) upload(ctx context.Context, c *client, name string, h *ingestv1.UploadHeader, b *bar) (*ingestv1.Job, error) {
	if name == "-" {
		h.FileName = "stdin"
		return once(ctx, c, p.in, h, b)
	}
	f, err := open(name, "- reads standard input")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h.FileName = filepath.Base(name)
	if err := tooLarge(ctx, c, f, h, b); err != nil {
		return nil, err
	}
	if h.Size, h.Sha256, err = digest(f); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	since, limit, told := time.Now(), firstPatience, ""
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		if _, err := f.Seek(h.Offset, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		job, err := once(ctx, c, f, h, b)
		if err == nil || ctx.Err() != nil || !fault.Of(err).Transient() || time.Since(since) > limit {
			return job, err
		}
		if text, _ := p.explain(err); text != told {
			told = text
			b.note(p.err, fmt.Sprintf("the upload broke and is taken up again: %s\n", printable(text)))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		at, err := c.uploads.GetUpload(ctx, &ingestv1.GetUploadRequest{RequestId: h.RequestId})
		switch {
		case errors.Is(err, fault.NotFound):
			h.UploadId, h.Offset = "", 0
		case err != nil && fault.Of(err).Transient():
			continue
		case err != nil:
			return nil, err
		case at.Job != nil:
			h.UploadId, h.Offset = "", 0 // the server compares the bytes with the job's by their checksum
		default:
			if at.Offset > h.Offset {
				since, wait = time.Now(), 100*time.Millisecond
			}
			h.UploadId, h.Offset = at.UploadId, at.Offset
		}
		limit = patience
	}
}

// open opens a file of this machine; hint is what to do instead of naming what is no file.
func open(name, hint string) (*os.File, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) { // of this machine, so it is an error of the command and nothing that the server lacks
		return nil, fault.New(fault.Invalid, "no-such-file", "there is no file %s", name)
	}
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return nil, fault.New(fault.Invalid, "bad-file", "%s cannot be read: %s", name, e.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(fault.Invalid, "no-file", "%s is no file", name).Hint("%s", hint)
	}
	if err != nil {
		_ = f.Close() // it was not used
		return nil, err
	}
	return f, nil
}

// once sends the header and what is left of a file.
func once(ctx context.Context, c *client, r io.Reader, h *ingestv1.UploadHeader, b *bar) (*ingestv1.Job, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.uploads.Upload(ctx)
	if err != nil {
		return nil, err
	}
	send := func(m *ingestv1.UploadRequest) (bool, error) {
		err := stream.Send(m)
		if errors.Is(err, io.EOF) { // the server has answered already; CloseAndRecv tells what
			return false, nil
		}
		return err == nil, err
	}
	more, err := send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Header{Header: h}})
	buf := make([]byte, chunkSize)
	sent := h.Offset
	for more && err == nil {
		n, rerr := io.ReadFull(r, buf)
		if n > 0 {
			more, err = send(&ingestv1.UploadRequest{Part: &ingestv1.UploadRequest_Chunk{Chunk: buf[:n]}})
			sent += int64(n)
			b.uploaded(sent, h.Size)
		}
		if rerr == io.EOF || rerr == io.ErrUnexpectedEOF {
			break
		}
		if rerr != nil {
			return nil, fmt.Errorf("read %s: %w", h.FileName, rerr)
		}
	}
	if err != nil {
		return nil, err
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	return answer.Job, nil
}

// tooLarge asks the server about a file over the published limit before all of it is read for its checksum.
func tooLarge(ctx context.Context, c *client, f *os.File, h *ingestv1.UploadHeader, b *bar) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", h.FileName, err)
	}
	if info.Size() <= 2<<30 {
		return nil
	}
	_, err = once(ctx, c, strings.NewReader(""), &ingestv1.UploadHeader{RequestId: uuid.NewString(), FileName: h.FileName, Size: info.Size(), Settings: h.Settings}, b)
	if fault.Code(err) == "file-too-large" {
		return err
	}
	return nil // nothing was sent, so it is refused for another reason, if only for that
}

// digest is the size and SHA-256 of a file.
func digest(f *os.File) (int64, string, error) {
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

package upload

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// body is the bytes of a file on their way to the store: one part is filled while the one before is put and saved.
type body struct {
	s       *Service
	account uuid.UUID
	most    int64  // bytes that may come: the declared size, or the limit
	size    int64  // declared; 0 if not known
	sha256  string // declared; empty if not known

	hash hash.Hash
	got  int64 // bytes, those of earlier streams included
	part []byte

	saving *saving // the part before; nil if none
	spare  []byte  // buffer of the last saved part
	row    ledger.Upload
}

// saving is a part being put and saved. row and err are set when done is closed.
type saving struct {
	done chan struct{}
	part []byte
	row  ledger.Upload
	err  error
}

// begin opens an upload, or resumes one with this stream as its only writer.
func (s *Service) begin(ctx context.Context, account uuid.UUID, h header) (*body, error) {
	b := &body{s: s, account: account, most: s.limits.FileSize, size: h.size, sha256: h.sha256, hash: sha256.New()}
	if h.size > 0 {
		b.most = h.size
	}
	if h.upload != uuid.Nil {
		return b, b.resume(ctx, h)
	}
	id := uuid.Must(uuid.NewV7())
	u := ledger.Upload{
		ID: id, RequestID: h.requestID, FileName: h.fileName, Size: h.size, SHA256: h.sha256, Settings: h.settings,
		Object: blob.RawName(account, id),
	}
	var err error
	b.row, err = s.ledger.OpenUpload(ctx, account, u, s.limits.Keep)
	if errors.Is(err, postgres.ErrCommitUnknown) { // the one opened, if any, expires: its id is in nobody's hands
		u.ID = uuid.Must(uuid.NewV7())
		u.Object = blob.RawName(account, u.ID)
		b.row, err = s.ledger.OpenUpload(ctx, account, u, s.limits.Keep)
	}
	return b, err
}

func (b *body) resume(ctx context.Context, h header) error {
	err := again(ctx, func() (err error) {
		b.row, err = b.s.ledger.ResumeUpload(ctx, b.account, h.upload, b.s.limits.Keep)
		return err
	})
	if err != nil {
		return err
	}
	u := b.row
	switch {
	case u.Offset == 0 || u.RequestID != h.requestID:
		return unknownUpload()
	case u.Offset != h.offset:
		return fault.New(fault.Invalid, "wrong-offset", "the upload has %d bytes, the stream begins at %d", u.Offset, h.offset).
			Hint("begin at byte %d", u.Offset)
	case u.Size != h.size || u.SHA256 != h.sha256 || !same(u.Settings, h.settings):
		return fault.New(fault.Exists, "request-id-reused", "the upload was begun with another size, checksum or settings").
			Hint("repeat what it was begun with, or take a new request id")
	}
	state, ok := b.hash.(encoding.BinaryUnmarshaler)
	if !ok {
		return errors.New("sha256 keeps no state")
	}
	if err := state.UnmarshalBinary(u.HashState); err != nil {
		return fmt.Errorf("resume hash of upload %s: %w", u.ID, err)
	}
	b.got = u.Offset
	return nil
}

func (b *body) id() uuid.UUID { return b.row.ID }

// receive takes all chunks.
func (b *body) receive(ctx context.Context, r *receiver) error {
	for {
		c, err := r.chunk(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if b.got+int64(len(c)) > b.most {
			b.giveUp(context.WithoutCancel(ctx))
			if b.size > 0 {
				return b.wrongSize("at least", b.got+int64(len(c)))
			}
			return tooLarge(b.most)
		}
		if err := b.write(ctx, c); err != nil {
			return err
		}
	}
}

// write fills parts. A full one is sent off only when another byte follows, so that a file of one part is a single put.
func (b *body) write(ctx context.Context, c []byte) error {
	for len(c) > 0 {
		if len(b.part) == blob.PartSize {
			if err := b.sendOff(ctx); err != nil {
				return err
			}
		}
		n := min(len(c), blob.PartSize-len(b.part))
		b.part = append(b.part, c[:n]...)
		b.hash.Write(c[:n])
		b.got += int64(n)
		c = c[n:]
	}
	return nil
}

// sendOff has the part put and saved while the next one is filled. What became of the part before is learned first.
func (b *body) sendOff(ctx context.Context) error {
	if err := b.saved(); err != nil {
		return err
	}
	state, ok := b.hash.(encoding.BinaryMarshaler)
	if !ok {
		return errors.New("sha256 keeps no state")
	}
	hashState, err := state.MarshalBinary()
	if err != nil {
		return fmt.Errorf("keep hash of upload %s: %w", b.row.ID, err)
	}
	p := &saving{done: make(chan struct{}), part: b.part, row: b.row}
	b.saving, b.part, b.spare = p, b.spare[:0], nil
	go func() {
		defer close(p.done)
		p.row, p.err = b.s.save(ctx, b.account, p.row, p.part, hashState)
	}()
	return nil
}

// saved waits for the part under way, if there is one.
func (b *body) saved() error {
	if b.saving == nil {
		return nil
	}
	<-b.saving.done
	p := b.saving
	b.saving, b.spare = nil, p.part
	if p.err != nil {
		return p.err
	}
	b.row = p.row
	return nil
}

// wait lets nothing of this stream outlive it.
func (b *body) wait() {
	if b.saving != nil {
		<-b.saving.done
	}
}

// giveUp leaves the upload to the sweeper, once no part is on its way any more. If that cannot be noted it expires by
// itself.
func (b *body) giveUp(ctx context.Context) {
	b.wait()
	if err := b.s.ledger.AbandonUpload(ctx, b.account, b.id()); err != nil {
		b.s.log.Warn("upload not given up", "account", b.account, "upload", b.id(), "error", err)
		return
	}
	b.s.sweep()
}

// end makes the object of the parts, if the file is what was declared.
func (b *body) end(ctx context.Context) (ledger.Object, error) {
	file := ledger.Object{Name: b.row.Object, Size: b.got, SHA256: hex.EncodeToString(b.hash.Sum(nil))}
	switch {
	case b.got == 0:
		return ledger.Object{}, fault.New(fault.Invalid, "empty-file", "the file is empty").Hint("send a file with a heading and rows")
	case b.size > 0 && b.got != b.size:
		return ledger.Object{}, b.wrongSize("", b.got)
	case b.sha256 != "" && b.sha256 != file.SHA256:
		return ledger.Object{}, fault.New(fault.Invalid, "checksum-mismatch", "the bytes received do not have the SHA-256 declared").
			Hint("the file changed under way: send it again from the beginning")
	}
	if err := b.saved(); err != nil {
		return ledger.Object{}, err
	}
	if b.row.Multipart == "" {
		return file, b.s.put(ctx, file, b.part)
	}
	if len(b.part) > 0 {
		if err := b.sendOff(ctx); err != nil {
			return ledger.Object{}, err
		}
		if err := b.saved(); err != nil {
			return ledger.Object{}, err
		}
	}
	return file, b.s.complete(ctx, b.row)
}

func (b *body) wrongSize(how string, got int64) error {
	return fault.New(fault.Invalid, "size-mismatch", "%s", strings.TrimSpace(fmt.Sprintf("%s %d bytes were received, %d were declared", how, got, b.size))).
		Hint("send the whole file and declare its size, or 0 if it is not known")
}

// same compares settings in the form that the edge gives them.
func same(a, b ledger.Settings) bool { return reflect.DeepEqual(a, b) }

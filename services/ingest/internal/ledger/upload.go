package ledger

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Part is a piece of an upload that is durable in the object store.
type Part struct {
	Number int32  `json:"number"`
	ETag   string `json:"etag"`
	Size   int64  `json:"size"`
}

// Upload is bytes on their way in.
type Upload struct {
	ID        uuid.UUID
	RequestID string
	FileName  string
	Size      int64  // declared; 0 if not known
	SHA256    string // declared, hex; empty if not known
	Settings  Settings
	Object    string // where the bytes go
	Multipart string // the store's id of a multipart upload; empty until there is one
	Parts     []Part // in order
	Offset    int64  // bytes that are durable: the sum of Parts
	HashState []byte // of the SHA-256 over these, opaque
	Writer    int64  // of the stream that may save parts: the last that opened or resumed it
	ExpiresAt time.Time
}

// OpenUpload begins an upload. u carries ID, RequestID, FileName, Size, SHA256, Settings and Object; it expires after
// keep without progress. There may be several of one request id; Accept makes one job of them.
func (l *Ledger) OpenUpload(ctx context.Context, account uuid.UUID, u Upload, keep time.Duration) (Upload, error) {
	return l.openUpload(ctx, account, u, keep)
}

// ResumeUpload makes the caller the upload's only writer and returns where to go on. Unknown, accepted and expired ones
// are NotFound "unknown-upload".
func (l *Ledger) ResumeUpload(ctx context.Context, account, upload uuid.UUID, keep time.Duration) (Upload, error) {
	return l.resumeUpload(ctx, account, upload, keep)
}

// SetMultipart notes the store's id of the multipart upload. Stale if another writer resumed it meanwhile.
func (l *Ledger) SetMultipart(ctx context.Context, account uuid.UUID, u Upload, multipart string) error {
	return l.setMultipart(ctx, account, u, multipart)
}

// SavePart notes a part that is durable, the state of the hash behind it, and puts the expiry off. u is as last returned:
// the part must begin at its Offset. It returns the upload with the part. Stale if another writer resumed it meanwhile.
func (l *Ledger) SavePart(ctx context.Context, account uuid.UUID, u Upload, p Part, hashState []byte, keep time.Duration) (Upload, error) {
	return l.savePart(ctx, account, u, p, hashState, keep)
}

// FindUpload returns the upload of a request id that came furthest; NotFound "unknown-upload" if there is none that can
// be resumed.
func (l *Ledger) FindUpload(ctx context.Context, account uuid.UUID, requestID string) (Upload, error) {
	return l.findUpload(ctx, account, requestID)
}

// AbandonUpload lets the sweeper remove an upload at once. Idempotent.
func (l *Ledger) AbandonUpload(ctx context.Context, account, upload uuid.UUID) error {
	return l.abandonUpload(ctx, account, upload)
}

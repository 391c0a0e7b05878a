package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
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
	u.Writer = 1
	kept, err := write[keptRow](ctx, l, account, l.sql.OpenUpload, account, u.ID, u.RequestID, u.FileName, u.Size, u.SHA256, u.Settings, u.Object, keep.Seconds())
	if err != nil {
		return Upload{}, fmt.Errorf("open upload %s: %w", u.ID, err)
	}
	u.ExpiresAt = kept[0].ExpiresAt.UTC()
	return u, nil
}

// ResumeUpload makes the caller the upload's only writer and returns where to go on. Unknown, accepted and expired ones
// are NotFound "unknown-upload".
func (l *Ledger) ResumeUpload(ctx context.Context, account, upload uuid.UUID, keep time.Duration) (Upload, error) {
	found, err := write[uploadRow](ctx, l, account, l.sql.ResumeUpload, account, upload, keep.Seconds())
	return onlyUpload(found, err)
}

// SetMultipart notes the store's id of the multipart upload. Stale if another writer resumed it meanwhile.
func (l *Ledger) SetMultipart(ctx context.Context, account uuid.UUID, u Upload, multipart string) error {
	n, err := l.exec(ctx, account, l.sql.SetMultipart, account, u.ID, u.Writer, multipart)
	if err == nil && n != 1 {
		err = staleUpload(u.ID)
	}
	return err
}

// SavePart notes a part that is durable, the state of the hash behind it, and puts the expiry off. u is as last returned:
// the part must begin at its Offset. It returns the upload with the part. Stale if another writer resumed it meanwhile.
func (l *Ledger) SavePart(ctx context.Context, account uuid.UUID, u Upload, p Part, hashState []byte, keep time.Duration) (Upload, error) {
	kept, err := write[keptRow](ctx, l, account, l.sql.SavePart, account, u.ID, u.Writer, u.Offset, []Part{p}, p.Size, hashState, keep.Seconds())
	if err != nil {
		return Upload{}, err
	}
	if len(kept) == 0 {
		return Upload{}, staleUpload(u.ID)
	}
	u.Parts = append(slices.Clone(u.Parts), p)
	u.Offset += p.Size
	u.HashState = hashState
	u.ExpiresAt = kept[0].ExpiresAt.UTC()
	return u, nil
}

// keptRow says until when an upload is kept.
type keptRow struct {
	ExpiresAt time.Time `db:"expires_at"`
}

// FindUpload returns the upload of a request id that came furthest; NotFound "unknown-upload" if there is none that can
// be resumed.
func (l *Ledger) FindUpload(ctx context.Context, account uuid.UUID, requestID string) (Upload, error) {
	found, err := read[uploadRow](ctx, l, account, l.sql.FindUpload, account, requestID)
	return onlyUpload(found, err)
}

// AbandonUpload lets the sweeper remove an upload at once. Idempotent.
func (l *Ledger) AbandonUpload(ctx context.Context, account, upload uuid.UUID) error {
	_, err := l.exec(ctx, account, l.sql.AbandonUpload, account, upload)
	return err
}

// uploadRow is an upload as stored.
type uploadRow struct {
	ID        uuid.UUID `db:"upload_id"`
	RequestID string    `db:"request_id"`
	FileName  string    `db:"file_name"`
	Size      int64     `db:"size"`
	SHA256    string    `db:"sha256"`
	Settings  Settings  `db:"settings"`
	Object    string    `db:"object"`
	Multipart string    `db:"multipart"`
	Parts     []Part    `db:"parts"`
	Offset    int64     `db:"offset"`
	HashState []byte    `db:"hash_state"`
	Writer    int64     `db:"writer"`
	ExpiresAt time.Time `db:"expires_at"`
}

func onlyUpload(found []*uploadRow, err error) (Upload, error) {
	if err != nil {
		return Upload{}, fmt.Errorf("read upload: %w", err)
	}
	if len(found) == 0 {
		return Upload{}, fault.New(fault.NotFound, "unknown-upload", "no such upload")
	}
	u := Upload(*found[0])
	u.ExpiresAt = u.ExpiresAt.UTC()
	return u, nil
}

func staleUpload(id uuid.UUID) error {
	return fault.New(fault.Stale, "stale", "upload %s goes on in another stream, or is over", id).Hint("ask for its offset and resume")
}

// exec runs one statement of one account and returns how many rows it changed.
func (l *Ledger) exec(ctx context.Context, account uuid.UUID, sql string, args ...any) (n int64, err error) {
	err = l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
			n = tag.RowsAffected()
			return nil
		})
		return postgres.Last(ctx, tx, b)
	})
	return n, err
}

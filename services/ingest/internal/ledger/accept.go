package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Submission is a complete upload to be made a job of.
type Submission struct {
	RequestID      string // 1 to 128 bytes
	Upload         uuid.UUID
	FileName       string
	File           Object // complete and verified
	Settings       Settings
	Account        Account // frozen
	SubmittedBy    string
	SubmitterEmail string // told of the end of a check; may be empty
}

// Accept makes a job of a completed upload, in one transaction with its event, its first stage and the end of the
// upload. Once it returned, the job ends in a final state.
//
// A request id that was accepted before answers the same job and existing = true if file bytes and settings are the
// same, and Exists "request-id-reused" if not; the upload then stays as it is, for the caller to abandon. An upload that
// expired or is unknown is Precondition "upload-expired".
func (l *Ledger) Accept(ctx context.Context, account uuid.UUID, s Submission) (job Job, existing bool, err error) {
	j := jobRow{
		Kind: Import, RequestID: s.RequestID, Settings: s.Settings, AccountSettings: s.Account, SubmittedBy: s.SubmittedBy, SubmitterEmail: s.SubmitterEmail,
		FileName: s.FileName, FileObject: s.File.Name, FileSize: s.File.Size, FileSHA256: s.File.SHA256, Upload: &s.Upload,
	}
	if s.RequestID == "" {
		return Job{}, false, fault.New(fault.Invalid, "no-request-id", "a submission needs a request id")
	}
	if j.BodyHash, err = bodyHash(j); err != nil {
		return Job{}, false, err
	}
	var taken int64
	return l.submit(ctx, account, s.RequestID, func(b *pgx.Batch) {
		b.Queue(l.sql.AcceptUpload, account, s.Upload).Exec(func(t pgconn.CommandTag) error {
			taken = t.RowsAffected()
			return nil
		})
	}, func() (jobRow, error) {
		if taken != 1 {
			return j, fault.New(fault.Precondition, "upload-expired", "the upload is unknown, expired or was accepted before").Hint("upload the file again")
		}
		return j, nil
	}, func(old *jobRow) bool { return bytes.Equal(old.BodyHash, j.BodyHash) })
}

// Resubmission is who asks for a retry, a forecast or an undo.
type Resubmission struct {
	RequestID      string // empty: every call makes another job
	Account        Account
	SubmittedBy    string
	SubmitterEmail string
}

// resubmit makes a job of another one, as from says; same tells whether a job with the request id was made likewise.
func (l *Ledger) resubmit(ctx context.Context, account uuid.UUID, ref Ref, r Resubmission, from func(of *jobRow) (jobRow, error), same func(old, of *jobRow) bool) (Job, bool, error) {
	var of []*jobRow
	return l.submit(ctx, account, r.RequestID, func(b *pgx.Batch) {
		id, number := ref.key()
		many(b, l.sql.LoadJob, &of, account, id, number)
	}, func() (jobRow, error) {
		if len(of) == 0 {
			return jobRow{}, noSuchJob()
		}
		j, err := from(of[0])
		if err != nil {
			return jobRow{}, err
		}
		j.RequestID, j.AccountSettings, j.SubmittedBy, j.SubmitterEmail = r.RequestID, r.Account, r.SubmittedBy, r.SubmitterEmail
		j.BodyHash, err = bodyHash(j)
		return j, err
	}, func(old *jobRow) bool { return len(of) == 1 && same(old, of[0]) })
}

// Retry makes a new job of a FAILED, REJECTED or CANCELLED one, with the same file and settings, or of the same undo; others
// are Precondition "not-retryable", and so is one whose file was swept ("file-swept"). A request id works as for Accept.
func (l *Ledger) Retry(ctx context.Context, account uuid.UUID, ref Ref, r Resubmission) (job Job, existing bool, err error) {
	return l.resubmit(ctx, account, ref, r, func(o *jobRow) (jobRow, error) {
		switch {
		case o.State != Failed && o.State != Rejected && o.State != Cancelled:
			return jobRow{}, fault.New(fault.Precondition, "not-retryable", "job %d is %s; only failed, rejected and cancelled jobs are retried", o.Number, o.State)
		case o.Kind == Import && o.FileKept != kept:
			return jobRow{}, fileSwept(o)
		}
		return jobRow{
			Kind: o.Kind, UndoOf: o.UndoOf, UndoOfNumber: o.UndoOfNumber, Settings: o.Settings,
			FileName: o.FileName, FileObject: o.FileObject, FileSize: o.FileSize, FileSHA256: o.FileSHA256, Upload: o.Upload, RetryOf: &o.ID,
			Confirmed: o.Confirmed && o.ApprovedBy == nil, ForecastOf: o.ForecastOf, ForecastOfNumber: o.ForecastOfNumber,
		}, nil
	}, func(old, of *jobRow) bool { return old.RetryOf != nil && *old.RetryOf == of.ID })
}

// submit makes a job, or finds the one of the request id. more adds what else is to be loaded under the lock; make then
// says the new job, and same whether one found is of the same request.
func (l *Ledger) submit(ctx context.Context, account uuid.UUID, requestID string, more func(*pgx.Batch), make func() (jobRow, error),
	same func(*jobRow) bool) (job Job, existing bool, err error) {

	c := &change{ledger: l, account: account}
	var view jobRow
	err = l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		var found []*jobRow
		b := &pgx.Batch{}
		b.Queue(l.sql.EnsureQueue, account)
		one(b, l.sql.LockQueue, &c.queue, account)
		b.Queue(l.sql.Clock).QueryRow(func(r pgx.Row) error { return r.Scan(&c.at) })
		if requestID != "" {
			many(b, l.sql.ViewRequest, &found, account, requestID)
		}
		more(b)
		if err := send(ctx, tx, b); err != nil {
			return fmt.Errorf("load queue of account: %w", err)
		}
		if len(found) == 1 {
			if !same(found[0]) {
				return fault.New(fault.Exists, "request-id-reused", "request id was accepted before, as job %d, with other content", found[0].Number).
					Hint("use a new request id for new content")
			}
			view = *found[0]
			return errNothing
		}
		j, err := make()
		if err != nil {
			return err
		}
		c.accepted(j)
		return c.save(ctx, tx, loads{view: &view})
	})
	if errors.Is(err, errNothing) {
		return view.toJob(), true, nil
	}
	if err != nil {
		return Job{}, false, err
	}
	c.committed()
	return view.toJob(), false, nil
}

// bodyHash tells submissions of one request id apart: by the file's bytes, the settings, and what is retried or undone.
func bodyHash(j jobRow) ([]byte, error) {
	settings, err := j.Settings.encoded()
	if err != nil {
		return nil, err
	}
	of := ""
	if j.RetryOf != nil {
		of = j.RetryOf.String()
	}
	if j.UndoOf != nil {
		of += " undo " + j.UndoOf.String()
	}
	if j.ForecastOf != nil {
		of += " forecast " + j.ForecastOf.String()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s", j.FileSHA256, j.FileSize, of, settings))
	return sum[:], nil
}

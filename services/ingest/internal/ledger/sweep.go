package ledger

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// ExpiredUpload is an upload whose bytes are to be removed.
type ExpiredUpload struct {
	Account   uuid.UUID
	Upload    uuid.UUID
	Object    string
	Multipart string
}

// ExpiredUploads takes at most limit uploads that expired or were abandoned out of use, across accounts: from then on
// Accept and ResumeUpload refuse them. Remove their bytes, then ForgetUpload; those not forgotten are returned again.
func (l *Ledger) ExpiredUploads(ctx context.Context, limit int) ([]ExpiredUpload, error) {
	return l.expiredUploads(ctx, limit)
}

// ForgetUpload removes the row of an upload whose bytes are gone.
func (l *Ledger) ForgetUpload(ctx context.Context, account, upload uuid.UUID) error {
	return l.forgetUpload(ctx, account, upload)
}

// DueFile is an uploaded file that no job needs any more.
type DueFile struct {
	Account uuid.UUID
	Upload  uuid.UUID
	Object  string
}

// DueFiles takes at most limit uploaded files out of use whose jobs, retries included, all ended longer than age ago:
// from then on Retry refuses. Remove the bytes, then FileSwept; those not told are returned again.
func (l *Ledger) DueFiles(ctx context.Context, age time.Duration, limit int) ([]DueFile, error) {
	return l.dueFiles(ctx, age, limit)
}

// FileSwept notes that an uploaded file is gone.
func (l *Ledger) FileSwept(ctx context.Context, account, upload uuid.UUID) error {
	return l.fileSwept(ctx, account, upload)
}

// DueWork is a job whose chunks, sidecars and outcomes are to be removed.
type DueWork struct {
	Account uuid.UUID
	Job     uuid.UUID
}

// DueWork takes at most limit jobs that ended longer than age ago out of reporting. Remove all objects of them, then
// WorkSwept; those not told are returned again.
func (l *Ledger) DueWork(ctx context.Context, age time.Duration, limit int) ([]DueWork, error) {
	return l.dueWork(ctx, age, limit)
}

// WorkSwept notes that a job's objects are gone.
func (l *Ledger) WorkSwept(ctx context.Context, account, job uuid.UUID) error {
	return l.workSwept(ctx, account, job)
}

// Known tells which of these uploads and jobs of an account exist, for the search for orphans: an object in raw/ of an
// upload that is neither a row nor a job's file, or in work/ of a job that is none, was left by a crash.
func (l *Ledger) Known(ctx context.Context, account uuid.UUID, uploads, jobs []uuid.UUID) (knownUploads, knownJobs map[uuid.UUID]bool, err error) {
	return l.known(ctx, account, uploads, jobs)
}

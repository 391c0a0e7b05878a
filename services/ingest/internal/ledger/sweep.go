package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/contactmill/contactmill/pkg/postgres"
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
	keys, err := acrossAccounts[uploadKey](ctx, l, l.across.ExpiredUploads, limit)
	if err != nil {
		return nil, fmt.Errorf("find expired uploads: %w", err)
	}
	var taken []ExpiredUpload
	for _, k := range keys {
		found, err := write[expiredRow](ctx, l, k.Account, l.sql.ExpireUpload, k.Account, k.Upload)
		if err != nil {
			return taken, fmt.Errorf("expire upload %s: %w", k.Upload, err)
		}
		for _, f := range found {
			taken = append(taken, ExpiredUpload{Account: k.Account, Upload: k.Upload, Object: f.Object, Multipart: f.Multipart})
		}
	}
	return taken, nil
}

// ForgetUpload removes the row of an upload whose bytes are gone.
func (l *Ledger) ForgetUpload(ctx context.Context, account, upload uuid.UUID) error {
	_, err := l.exec(ctx, account, l.sql.ForgetUpload, account, upload)
	return err
}

// DueFile is an uploaded file that no job needs any more.
type DueFile struct {
	Account uuid.UUID
	Upload  uuid.UUID
	Object  string
}

// DueFiles takes at most limit uploaded files out of use whose jobs, retries included, all ended longer ago than their
// account keeps files, or age where it has not settled that:
// from then on Retry refuses. Remove the bytes, then FileSwept; those not told are returned again.
func (l *Ledger) DueFiles(ctx context.Context, age time.Duration, limit int) ([]DueFile, error) {
	keys, err := acrossAccounts[uploadKey](ctx, l, l.across.DueFiles, age.Seconds(), limit)
	if err != nil {
		return nil, fmt.Errorf("find due files: %w", err)
	}
	var taken []DueFile
	for _, k := range keys {
		var objects []string
		err := l.underLock(ctx, k.Account, func(b *pgx.Batch) {
			b.Queue(l.sql.TakeFile, k.Account, k.Upload, age.Seconds()).Query(func(rows pgx.Rows) (err error) {
				objects, err = pgx.CollectRows(rows, pgx.RowTo[string])
				return err
			})
		})
		if err != nil {
			return taken, fmt.Errorf("take file of upload %s: %w", k.Upload, err)
		}
		if len(objects) > 0 {
			taken = append(taken, DueFile{Account: k.Account, Upload: k.Upload, Object: objects[0]})
		}
	}
	return taken, nil
}

// FileSwept notes that an uploaded file is gone.
func (l *Ledger) FileSwept(ctx context.Context, account, upload uuid.UUID) error {
	return l.underLock(ctx, account, func(b *pgx.Batch) { b.Queue(l.sql.FileSwept, account, upload) })
}

// DueWork is a job whose chunks, sidecars and outcomes are to be removed.
type DueWork struct {
	Account uuid.UUID
	Job     uuid.UUID
}

// DueWork takes at most limit jobs out of reporting that ended longer ago than their account keeps results, or age where it
// has not settled that. Remove all objects of them, then
// WorkSwept; those not told are returned again.
func (l *Ledger) DueWork(ctx context.Context, age time.Duration, limit int) ([]DueWork, error) {
	keys, err := acrossAccounts[jobKey](ctx, l, l.across.DueWork, age.Seconds(), limit)
	if err != nil {
		return nil, fmt.Errorf("find due work: %w", err)
	}
	var taken []DueWork
	for _, k := range keys {
		n := 0
		err := l.underLock(ctx, k.Account, func(b *pgx.Batch) {
			b.Queue(l.sql.TakeWork, k.Account, k.Job, age.Seconds()).Exec(func(t pgconn.CommandTag) error {
				n = int(t.RowsAffected())
				return nil
			})
		})
		if err != nil {
			return taken, fmt.Errorf("take work of job %s: %w", k.Job, err)
		}
		if n > 0 {
			taken = append(taken, DueWork(k))
		}
	}
	return taken, nil
}

// WorkSwept notes that a job's objects are gone.
func (l *Ledger) WorkSwept(ctx context.Context, account, job uuid.UUID) error {
	return l.underLock(ctx, account, func(b *pgx.Batch) { b.Queue(l.sql.WorkSwept, account, job) })
}

// Known tells which of these uploads and jobs of an account exist, for the search for orphans: an object in raw/ of an
// upload that is neither a row nor a job's file, or in work/ of a job that is none, was left by a crash.
func (l *Ledger) Known(ctx context.Context, account uuid.UUID, uploads, jobs []uuid.UUID) (knownUploads, knownJobs map[uuid.UUID]bool, err error) {
	knownUploads, knownJobs = map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	set := func(m map[uuid.UUID]bool) func(pgx.Rows) error {
		return func(rows pgx.Rows) error {
			ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			for _, id := range ids {
				m[id] = true
			}
			return err
		}
	}
	b := &pgx.Batch{}
	b.Queue(l.sql.KnownUploads, account, uploads).Query(set(knownUploads))
	b.Queue(l.sql.KnownJobs, account, jobs).Query(set(knownJobs))
	err = l.db.Read(ctx, account, b)
	return knownUploads, knownJobs, err
}

// uploadKey names an upload of any account.
type uploadKey struct {
	Account uuid.UUID `db:"account_id"`
	Upload  uuid.UUID `db:"upload_id"`
}

type expiredRow struct {
	Object    string `db:"object"`
	Multipart string `db:"multipart"`
}

// underLock runs statements under the account's lock.
func (l *Ledger) underLock(ctx context.Context, account uuid.UUID, queue func(*pgx.Batch)) error {
	return l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(l.sql.LockQueue, account)
		queue(b)
		return postgres.Last(ctx, tx, b)
	})
}

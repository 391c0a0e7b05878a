// Package sweep removes bytes that nobody needs any more: uploads that expired or were given up, uploaded files and the
// results of jobs by age, and what a crash left behind.
//
// What a job may still need is the ledger's to say: it takes a thing out of use, under the locks by which jobs are
// accepted and retried, before the bytes go, and forgets it after. A sweep that is cut anywhere is simply done again. Any
// number of replicas may sweep at once. Logs hold ids only.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// batch is how much is taken from the ledger at once.
const batch = 100

// Config says when things go. The zero value of a field means its default.
type Config struct {
	Every     time.Duration // between two sweeps; 1 h
	FileAge   time.Duration // of an uploaded file after the end of its jobs; 7 days
	WorkAge   time.Duration // of chunks, sidecars and outcomes after the end of their job; 30 days
	OrphanAge time.Duration // of an object that the ledger does not know; 24 h
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.Every, time.Hour)
	set(&c.FileAge, 7*24*time.Hour)
	set(&c.WorkAge, 30*24*time.Hour)
	set(&c.OrphanAge, 24*time.Hour)
	return c
}

// Sweeper sweeps.
type Sweeper struct {
	ledger *ledger.Ledger
	store  *blob.Store
	cfg    Config
	log    *slog.Logger
	soon   chan struct{}
}

// New returns a sweeper.
func New(l *ledger.Ledger, store *blob.Store, cfg Config, log *slog.Logger) *Sweeper {
	return &Sweeper{ledger: l, store: store, cfg: cfg.withDefaults(), log: log, soon: make(chan struct{}, 1)}
}

// Soon has uploads that were given up removed without waiting for the next sweep. It does not wait.
func (s *Sweeper) Soon() {
	select {
	case s.soon <- struct{}{}:
	default:
	}
}

// Run sweeps at once and then every so often, until ctx ends; it then returns nil.
func (s *Sweeper) Run(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		var err error
		select {
		case <-next.C:
			err = s.Once(ctx, time.Now())
			next.Reset(s.cfg.Every)
		case <-s.soon:
			err = s.uploads(ctx)
		case <-ctx.Done():
			return nil
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("sweep incomplete", "error", err, "kind", fault.Of(err).String())
		}
	}
}

// Once sweeps everything that is due at a time. What cannot be removed now does not keep the rest from it.
func (s *Sweeper) Once(ctx context.Context, now time.Time) error {
	return errors.Join(s.uploads(ctx), s.files(ctx), s.work(ctx), s.fields(ctx), s.orphans(ctx, now))
}

// uploads removes those that expired or were given up.
func (s *Sweeper) uploads(ctx context.Context) error {
	return drain(ctx, s.ledger.ExpiredUploads, func(u ledger.ExpiredUpload) error {
		if u.Multipart != "" {
			if err := s.store.Abort(ctx, u.Object, u.Multipart); err != nil {
				return err
			}
		}
		if err := s.store.Delete(ctx, u.Object); err != nil {
			return err
		}
		if err := s.ledger.ForgetUpload(ctx, u.Account, u.Upload); err != nil {
			return err
		}
		s.log.Info("upload swept", "account", u.Account, "upload", u.Upload)
		return nil
	})
}

// files removes uploaded files by age.
func (s *Sweeper) files(ctx context.Context) error {
	due := func(ctx context.Context, limit int) ([]ledger.DueFile, error) {
		return s.ledger.DueFiles(ctx, s.cfg.FileAge, limit)
	}
	return drain(ctx, due, func(f ledger.DueFile) error {
		if err := s.store.Delete(ctx, f.Object); err != nil {
			return err
		}
		if err := s.ledger.FileSwept(ctx, f.Account, f.Upload); err != nil {
			return err
		}
		s.log.Info("file swept", "account", f.Account, "upload", f.Upload)
		return nil
	})
}

// work removes the results of jobs by age, those of superseded tokens with them.
func (s *Sweeper) work(ctx context.Context) error {
	due := func(ctx context.Context, limit int) ([]ledger.DueWork, error) {
		return s.ledger.DueWork(ctx, s.cfg.WorkAge, limit)
	}
	return drain(ctx, due, func(w ledger.DueWork) error {
		if err := s.store.DeletePrefix(ctx, blob.JobPrefix(w.Account, w.Job)); err != nil {
			return err
		}
		if err := s.ledger.WorkSwept(ctx, w.Account, w.Job); err != nil {
			return err
		}
		s.log.Info("results swept", "account", w.Account, "job", w.Job)
		return nil
	})
}

// fields forgets the fields that no open job goes by.
func (s *Sweeper) fields(ctx context.Context) error {
	for {
		if n, err := s.ledger.ForgetFields(ctx, batch); err != nil || n < batch {
			return err
		}
	}
}

// drain takes what is due, a batch at a time, until no more comes. As what could not be removed is taken again, a batch
// with an error is the last.
func drain[T any](ctx context.Context, due func(context.Context, int) ([]T, error), remove func(T) error) error {
	for {
		things, err := due(ctx, batch)
		if err != nil {
			return fmt.Errorf("ask what is to be swept: %w", err)
		}
		var failed error
		for _, t := range things {
			if err := remove(t); err != nil {
				failed = errors.Join(failed, err)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if failed != nil || len(things) < batch {
			return failed
		}
	}
}

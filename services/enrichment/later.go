package enrichment

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/postgres"
	"github.com/contactmill/contactmill/pkg/rpc"
	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry"

	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

const (
	// pageContacts is how many contacts are asked about and written at once.
	pageContacts = 5_000

	// mostWritten is how many bytes of facts are written at once: a message has 4 MiB at most, and a contact's facts have less
	// than one.
	mostWritten = 2 << 20

	// atOnce is how many accounts the background works for at the same time, and sweep how long it sleeps at most, so that what
	// another instance has left is found.
	atOnce = 4
	sweep  = time.Minute

	// A job is tried again after firstWait, twice as long each time, mostWait at most. One of which no contact has been found for
	// giveUpAfter was never applied; one whose batches are refused so often is left.
	firstWait   = 2 * time.Second
	mostWait    = 5 * time.Minute
	giveUpAfter = 24 * time.Hour
	mostRefused = 8
)

//go:embed queries/*.sql
var queries embed.FS

type statements struct{ InsertLater, DueLater, ClaimLater, KeepLater, DeleteLater, NextLater string }

// later asks about contacts whose jobs went on without their provider, and settles what was left unanswered.
type later struct {
	db    *postgres.DB
	sql   statements
	desk  *inquiry.Desk
	facts contactsv1.FactsServiceClient
	log   *slog.Logger
	lease time.Duration // how long a job is one instance's: longer than a page takes
	woken chan struct{}
}

// add notes that a job goes on without its provider; answers asked for before since are too old for it.
func (l *later) add(ctx context.Context, account, job uuid.UUID, since time.Time) error {
	err := l.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, l.sql.InsertLater, account, job, since)
		return err
	})
	if errors.Is(err, postgres.ErrCommitUnknown) {
		return l.add(ctx, account, job, since)
	}
	if err != nil {
		return fmt.Errorf("note job %s for later: %w", job, err)
	}
	select {
	case l.woken <- struct{}{}:
	default: // it is about to wake up
	}
	return nil
}

// due is what is to be done for an account: a job of it, or the nil one for its open batches.
type due struct{ account, job uuid.UUID }

// Run works until ctx ends. What it cannot do now it does later.
func (l *later) Run(ctx context.Context) error {
	for {
		todo, wait, err := l.look(ctx)
		if err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "what is to be enriched later cannot be read", "error", err)
		}
		var g errgroup.Group
		g.SetLimit(atOnce)
		for _, d := range todo {
			g.Go(func() error { l.do(ctx, d); return nil })
		}
		_ = g.Wait() // none returns an error: each is told where it happened
		if len(todo) > 0 && ctx.Err() == nil {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-l.woken:
		case <-t.C:
		}
		t.Stop()
	}
}

// look finds what is due, or how long to wait for it.
func (l *later) look(ctx context.Context) (todo []due, wait time.Duration, err error) {
	wait = sweep
	err = l.db.Across(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, l.sql.DueLater, 4*atOnce)
		if err != nil {
			return err
		}
		if todo, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) { return d, row.Scan(&d.account, &d.job) }); err != nil {
			return err
		}
		var seconds *float64
		err = tx.QueryRow(ctx, l.sql.NextLater).Scan(&seconds)
		if seconds != nil {
			wait = min(wait, max(0, time.Duration(*seconds*float64(time.Second))))
		}
		return err
	})
	if err != nil {
		return nil, sweep / 10, fmt.Errorf("look for jobs to enrich later: %w", err)
	}
	accounts, err := l.desk.Unsettled(ctx, 4*atOnce)
	if err != nil {
		return todo, wait, err
	}
	for _, a := range accounts {
		todo = append(todo, due{account: a})
	}
	in, some, err := l.desk.NextUnsettled(ctx)
	if some {
		wait = min(wait, in)
	}
	return todo, wait, err
}

func (l *later) do(ctx context.Context, d due) {
	err := error(nil)
	if d.job == uuid.Nil {
		err = l.desk.SettleUnsettled(ctx, d.account)
	} else {
		err = l.job(ctx, d)
	}
	if err != nil && ctx.Err() == nil {
		l.log.WarnContext(ctx, "enrichment is put off", "account", d.account, "job", d.job, "error", err)
	}
}

// job asks about what is left of a job, unless another instance does, and says when to come back.
func (l *later) job(ctx context.Context, d due) error {
	var since time.Time
	var seen, mine bool
	var failures int
	var age float64
	err := l.db.InAccount(ctx, d.account, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, l.sql.ClaimLater, d.account, d.job, l.lease.Seconds()).Scan(&since, &seen, &failures, &age)
		mine = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil || !mine {
		return err // unknown to be committed or not: it is due again after its lease
	}
	found, err := l.contacts(ctx, d, since)
	seen = seen || found
	down, isDown := errors.AsType[*inquiry.Down](err)
	wait := min(mostWait, firstWait<<min(failures, 10))
	switch {
	case ctx.Err() != nil: // another instance, or the next life of this one, goes on at once
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyLimit)
		defer cancel()
		return l.keep(ctx, d, 0, seen, failures)
	case isDown:
		wait = max(down.Left, time.Second)
	case err == nil && found: // all were asked: whether none is left is seen at once
		return l.keep(ctx, d, 0, true, 0)
	case err == nil && seen, err == nil && time.Duration(age*float64(time.Second)) > giveUpAfter:
		return l.drop(ctx, d)
	case errors.Is(err, fault.Invalid) && failures+1 >= mostRefused:
		return errors.Join(err, l.drop(ctx, d))
	default:
		failures++
	}
	return errors.Join(err, l.keep(ctx, d, wait, seen, failures))
}

// contacts asks about all contacts of a job that nobody was asked about, and tells whether there were any.
func (l *later) contacts(ctx context.Context, d due, since time.Time) (found bool, err error) {
	ctx = rpc.WithAccount(ctx, d.account)
	var after []byte
	for {
		page, err := l.facts.ListUnenriched(ctx, &contactsv1.ListUnenrichedRequest{JobId: d.job.String(), After: after, PageSize: pageContacts})
		if err != nil {
			return found, fmt.Errorf("list contacts of job %s to enrich: %w", d.job, err)
		}
		if len(page.Contacts) == 0 {
			return found, nil
		}
		found = true
		if err := l.page(ctx, d, since, page.Contacts); err != nil {
			return found, err
		}
		after = page.Contacts[len(page.Contacts)-1].ContactId
		if err := l.keep(ctx, d, l.lease, true, 0); err != nil {
			return found, err
		}
	}
}

// page asks about contacts and has the facts written.
func (l *later) page(ctx context.Context, d due, since time.Time, contacts []*contactsv1.UnenrichedContact) error {
	w, size := &contactsv1.WriteFactsRequest{}, 0
	write := func() error {
		if _, err := l.facts.WriteFacts(ctx, w); err != nil {
			return fmt.Errorf("write facts of job %s: %w", d.job, err)
		}
		w, size = &contactsv1.WriteFactsRequest{}, 0
		return nil
	}
	say := func(n int64, phone, email []byte) error {
		c := contacts[n]
		f := &contactsv1.ContactFacts{ContactId: c.ContactId}
		if phone != nil {
			f.PhoneHash, f.PhoneFacts = c.PhoneHash, phone
		}
		if email != nil {
			f.EmailHash, f.EmailFacts = c.EmailHash, email
		}
		w.Contacts = append(w.Contacts, f)
		if size += proto.Size(f); size < mostWritten {
			return nil
		}
		return write()
	}
	q := l.desk.Begin(inquiry.Order{Account: d.account, Job: d.job, Since: since, Say: say})
	defer q.Close()
	for i, c := range contacts {
		if err := q.Add(ctx, int64(i), []byte(c.Phone), []byte(c.Email)); err != nil {
			return err
		}
	}
	if _, err := q.End(ctx); err != nil {
		return err
	}
	return write()
}

// keep says when a job is due again.
func (l *later) keep(ctx context.Context, d due, wait time.Duration, seen bool, failures int) error {
	err := l.db.InAccount(ctx, d.account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, l.sql.KeepLater, d.account, d.job, wait.Seconds(), seen, failures)
		return err
	})
	if err != nil && !errors.Is(err, postgres.ErrCommitUnknown) { // then it is due after its lease at the latest
		return fmt.Errorf("keep job %s for later: %w", d.job, err)
	}
	return nil
}

func (l *later) drop(ctx context.Context, d due) error {
	err := l.db.InAccount(ctx, d.account, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, l.sql.DeleteLater, d.account, d.job)
		return err
	})
	if err != nil && !errors.Is(err, postgres.ErrCommitUnknown) {
		return fmt.Errorf("end job %s: %w", d.job, err)
	}
	return nil
}

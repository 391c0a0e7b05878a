package inquiry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/stage"
)

const (
	// mostRest bounds how long a provider rests after failures, mostWish how long at its own wish.
	mostRest = 5 * time.Minute
	mostWish = 24 * time.Hour

	// hiccups is how many failures in a row are no reason yet to go on without a provider, and patience how long a rest that it
	// wishes is none.
	hiccups  = 2
	patience = time.Minute
)

// codeBusy is the code of a provider's wish to rest.
const codeBusy = "provider-busy"

// Down is a provider that does not serve an account: it failed, or it rests since it did.
type Down struct {
	err      error
	Failures int           // in a row
	Left     time.Duration // until it is asked again
}

func (d *Down) Error() string { return d.err.Error() }

// Unwrap is the failure with the time after which trying again is worth while.
func (d *Down) Unwrap() error { return stage.RetryAfter(d.err, d.Left) }

// forLong tells whether it is more than a hiccup.
func (d *Down) forLong() bool {
	return d.Failures > hiccups || d.Left > patience && fault.Code(d.err) == codeBusy
}

// resting is a provider whose rest lasts for so many seconds more.
func resting(provider, code string, failures int, seconds float64) *Down {
	left := max(0, toDuration(seconds))
	return &Down{err: fault.New(fault.Unavailable, code, "provider %s is not asked for %s more", provider, left.Round(time.Second)).
		Hint("the job goes on by itself; see to the provider if this lasts"), Failures: failures, Left: left}
}

// rested is a Down while a provider rests for an account.
func (d *Desk) rested(ctx context.Context, account uuid.UUID, provider string) error {
	var down *Down
	q := &pgx.Batch{}
	d.ledger.queueBreaker(q, account, provider, &down)
	if err := d.ledger.db.Read(ctx, account, q); err != nil {
		return fmt.Errorf("look at the breaker of account %s: %w", account, err)
	}
	if down != nil {
		return down
	}
	return nil
}

// failed notes that a provider has failed an account, and returns err with what follows from it. That the caller goes away is no
// failure of the provider's.
func (d *Desk) failed(ctx context.Context, account uuid.UUID, provider string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if fault.Of(err) != fault.Unavailable {
		err = fault.Wrap(fault.Unavailable, fault.Code(err), err, "the provider fails")
	}
	down := &Down{err: err, Left: d.cfg.Backoff}
	var seconds float64
	noted := d.ledger.db.InAccount(ctx, account, func(ctx context.Context, tx pgx.Tx) error {
		if wish, ok := errors.AsType[*busy](err); ok {
			return tx.QueryRow(ctx, d.ledger.sql.RestBreaker, account, provider, fault.Code(err), min(wish.after, mostWish).Seconds()).Scan(&down.Failures, &seconds)
		}
		jitter := 0.75 + rand.Float64()/2
		return tx.QueryRow(ctx, d.ledger.sql.OpenBreaker, account, provider, fault.Code(err), d.cfg.Backoff.Seconds(), mostRest.Seconds(), jitter).Scan(&down.Failures, &seconds)
	})
	if noted != nil {
		d.log.WarnContext(ctx, "failure of a provider not noted", "account", account, "provider", provider, "error", noted)
		return down
	}
	down.Left = max(0, toDuration(seconds))
	d.log.WarnContext(ctx, "provider rests for an account", "account", account, "provider", provider, "failures", down.Failures, "for", down.Left, "error", err)
	return down
}

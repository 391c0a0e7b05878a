package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/deploy/standalone/people"
	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	deepContacts = 5_000_000
	deepPiece    = 1_000_000 // contacts of a file that fills the account
	deepRows     = 100_000
	deepTimes    = 3 // each is measured, and the middle one counts
)

// deep measures what it costs to add to an account that holds many contacts: a job of 100,000 new rows against the COPY of
// its rows into a table of as many, and the same where there is nothing yet.
func deep(ctx context.Context, o options, p *platform, out, errs io.Writer) error {
	if !o.large {
		return nil
	}
	owner := p.settings.OwnerURL()
	key, err := os.ReadFile(filepath.Join(o.state, "platform", "operator.key"))
	if err != nil {
		return err
	}
	var files []piece
	for i := range deepTimes {
		f, err := makePiece(o, fmt.Sprintf("rows-%d", i), 2*deepContacts+i*deepRows, deepRows)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	empty := make([]time.Duration, 0, deepTimes)
	var emptyCopy, full, fullCopy []time.Duration
	for i, f := range files {
		fmt.Fprintln(errs, "100,000 rows into an account without contacts")
		took, err := addTo(ctx, p, strings.TrimSpace(string(key)), fmt.Sprintf("bench-empty-%d", i), f)
		if err != nil {
			return err
		}
		empty = append(empty, took...)
		copied, err := f.ref.run(ctx, owner)
		if err != nil {
			return err
		}
		emptyCopy = append(emptyCopy, copied)
	}
	var all []piece
	for i := range deepContacts / deepPiece {
		f, err := makePiece(o, fmt.Sprintf("fill-%d", i), i*deepPiece, deepPiece)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	fmt.Fprintf(errs, "100,000 rows into an account of %d contacts\n", deepContacts)
	took, err := addTo(ctx, p, strings.TrimSpace(string(key)), "bench-full", append(all, files...)...)
	if err != nil {
		return err
	}
	full = took[len(all):]
	err = inReference(ctx, owner, func(conn *pgx.Conn) error {
		for i, f := range append(all, files...) {
			copied, err := f.ref.copy(ctx, conn)
			if err != nil {
				return err
			}
			if i >= len(all) {
				fullCopy = append(fullCopy, copied)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	atNone, atMany := middle(empty).Seconds()/middle(emptyCopy).Seconds(), middle(full).Seconds()/middle(fullCopy).Seconds()
	fmt.Fprintf(out, "%d rows: %.2f s into an empty account = %.2f x COPY (%.2f s); %.2f s into %d contacts = %.2f x COPY (%.2f s): %.2f times the ratio\n",
		deepRows, middle(empty).Seconds(), atNone, middle(emptyCopy).Seconds(), middle(full).Seconds(), deepContacts, atMany, middle(fullCopy).Seconds(), atMany/atNone)
	return nil
}

// piece is a file of new people.
type piece struct {
	name string
	rows int
	ref  *reference
}

func makePiece(o options, name string, first, rows int) (piece, error) {
	f := piece{name: filepath.Join(o.state, name+".csv"), rows: rows}
	if _, err := write(f.name, people.Options{Seed: o.Seed + 1, Rows: rows, Messy: o.Messy, First: first}); err != nil {
		return piece{}, err
	}
	var err error
	f.ref, err = prepare(f.name, filepath.Join(o.state, name+".copy"), "")
	return f, err
}

// addTo makes an account and hands the files in, one after the other.
func addTo(ctx context.Context, p *platform, operator, account string, files ...piece) ([]time.Duration, error) {
	conn, err := rpc.Dial(p.accounts(), rpc.DialOptions{Key: config.Secret(operator)})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	accounts := accountsv1.NewAccountsServiceClient(conn)
	if _, err := accounts.CreateAccount(ctx, &accountsv1.CreateAccountRequest{Account: &accountsv1.Account{Name: account, Country: "US", Package: 4 * deepContacts}}); err != nil {
		return nil, fmt.Errorf("make account %s: %w", account, err)
	}
	made, err := accounts.CreateKey(ctx, &accountsv1.CreateKeyRequest{Account: account, Role: accountsv1.Role_ROLE_ADMIN, Name: "bench"})
	if err != nil {
		return nil, fmt.Errorf("make a key of account %s: %w", account, err)
	}
	c, err := dial(p.client.Addr, made.Secret)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	var took []time.Duration
	for _, f := range files {
		r, err := c.file(ctx, f.name, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT})
		if err != nil {
			return nil, err
		}
		if n := r.job.Counts.Added; int(n) != f.rows {
			return nil, fmt.Errorf("%d added, the file has %d people", n, f.rows)
		}
		took = append(took, r.whole)
	}
	return took, nil
}

func middle(d []time.Duration) time.Duration { return slices.Sorted(slices.Values(d))[len(d)/2] }

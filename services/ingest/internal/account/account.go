// Package account asks the accounts service what an account has settled, to be frozen with a job.
package account

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
	"github.com/contactmill/contactmill/services/ingest/internal/view"
)

const (
	askFor   = 5 * time.Second
	remember = 30 * time.Second
	// mostKnown bounds what is remembered; beyond it everything is forgotten, which costs a question each.
	mostKnown = 10_000
)

// Source asks each time, so that what was settled a moment ago holds for the next file. What was answered last is used
// for 30 seconds more while the accounts service is away.
type Source struct {
	accounts accountsv1.AccountsServiceClient
	fields   accountsv1.FieldsServiceClient

	mu    sync.Mutex
	known map[uuid.UUID]answer
}

type answer struct {
	settled ledger.Account
	at      time.Time
}

// New returns a source over a connection with the service's own credential.
func New(conn grpc.ClientConnInterface) *Source {
	return &Source{accounts: accountsv1.NewAccountsServiceClient(conn), fields: accountsv1.NewFieldsServiceClient(conn), known: map[uuid.UUID]answer{}}
}

// Settled returns what the account has settled.
func (s *Source) Settled(ctx context.Context, account uuid.UUID) (ledger.Account, error) {
	asking, cancel := context.WithTimeout(rpc.WithAccount(ctx, account), askFor)
	defer cancel()
	settled, err := s.ask(asking)
	if err != nil && ctx.Err() != nil {
		return ledger.Account{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if last, ok := s.known[account]; ok && fault.Of(err).Transient() && time.Since(last.at) < remember {
			return last.settled, nil
		}
		kind := fault.Unavailable
		switch fault.Of(err) {
		case fault.NotFound:
			kind = fault.Precondition
		case fault.Precondition:
			return ledger.Account{}, err
		}
		return ledger.Account{}, fault.Wrap(kind, "account-settings", err, "the account's settings cannot be had").Hint("try again in a moment")
	}
	if len(s.known) >= mostKnown {
		clear(s.known)
	}
	s.known[account] = answer{settled, time.Now()}
	return settled, nil
}

// ask asks for the account and for its fields.
func (s *Source) ask(ctx context.Context) (ledger.Account, error) {
	var resp *accountsv1.GetAccountResponse
	var asking errgroup.Group // the submitter waits for both
	asking.Go(func() (err error) {
		resp, err = s.accounts.GetAccount(ctx, &accountsv1.GetAccountRequest{})
		return err
	})
	listed, err := s.fields.ListFields(ctx, &accountsv1.ListFieldsRequest{})
	if err := asking.Wait(); err != nil {
		return ledger.Account{}, err
	}
	settled, perr := fromAccount(resp.GetAccount())
	if perr != nil {
		return ledger.Account{}, perr
	}
	if fault.Of(err) == fault.Unimplemented { // an accounts service from before there were own fields
		return settled, nil
	}
	if fault.Of(err) == fault.Exhausted { // more than fits into a message
		return ledger.Account{}, view.FieldsTooLarge()
	}
	if err != nil {
		return ledger.Account{}, err
	}
	if settled.Fields, err = view.FreezeFields(listed.GetFields()); err != nil {
		return ledger.Account{}, err
	}
	if err := view.KnownPolicies(settled.Fields, settled.Policies); err != nil { // of another moment: a field came or went between the two answers
		return ledger.Account{}, fault.Wrap(fault.Unavailable, "account-settings", err, "the account's fields are being changed").Hint("try again in a moment")
	}
	return settled, nil
}

func fromAccount(a *accountsv1.Account) (ledger.Account, error) {
	policies, err := view.FromPolicies(a.GetPolicies())
	return ledger.Account{
		Policies:       policies,
		Name:           a.GetName(),
		Country:        a.GetCountry(),
		DropBadCells:   a.GetBadCell() == accountsv1.BadCell_BAD_CELL_DROP_CELL,
		KeepOutUnknown: a.GetUnknownToProvider() == accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT,
		Recipients:     a.GetRecipients(),
		RawDays:        a.GetRawDays(),
		ResultDays:     a.GetResultDays(),
		LegacyEncoding: a.GetLegacyEncoding(),

		CompleteWithout: a.GetProviderDown() == accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE,
		ProviderDays:    a.GetProviderDays(),
	}, err
}

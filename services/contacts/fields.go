package contacts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

const (
	// schemaAge is how long an account's fields are believed; a name that they do not have asks at once.
	schemaAge = 5 * time.Second

	// mostSchemas bounds the accounts whose fields are remembered: a schema with 200 fields takes some 100 KiB, code books
	// apart.
	mostSchemas = 500
)

// schemas are the fields of accounts, as the service accounts tells them.
type schemas struct {
	fields accountsv1.FieldsServiceClient
	now    func() time.Time

	mu    sync.Mutex
	known map[uuid.UUID]knownSchema
}

type knownSchema struct {
	schema *contact.Schema
	at     time.Time
}

func newSchemas(client accountsv1.FieldsServiceClient, now func() time.Time) *schemas {
	return &schemas{fields: client, now: now, known: map[uuid.UUID]knownSchema{}}
}

// of is the account's fields as they were a moment ago. While accounts is away the last that it told are believed.
func (s *schemas) of(ctx context.Context, account uuid.UUID) (*contact.Schema, error) {
	s.mu.Lock()
	known, ok := s.known[account]
	s.mu.Unlock()
	if ok && s.now().Sub(known.at) < schemaAge {
		return known.schema, nil
	}
	schema, err := s.ask(ctx, account)
	if err != nil && ok && fault.Of(err).Transient() {
		return known.schema, nil
	}
	return schema, err
}

// with is the account's fields, asked anew if there is a name among the values that they did not have a moment ago.
func (s *schemas) with(ctx context.Context, account uuid.UUID, values map[string]string) (*contact.Schema, error) {
	schema, err := s.of(ctx, account)
	if err != nil {
		return nil, err
	}
	for name := range values {
		if _, ok := schema.Field(name); !ok {
			return s.ask(ctx, account)
		}
	}
	return schema, nil
}

// namesOwn tells whether there is a name among the values that no standard field has.
func namesOwn(values map[string]string) bool {
	for name := range values {
		if _, standard := contact.FieldByName(name); !standard {
			return true
		}
	}
	return false
}

// ask asks accounts and remembers the answer.
func (s *schemas) ask(ctx context.Context, account uuid.UUID) (*contact.Schema, error) {
	res, err := s.fields.ListFields(rpc.WithAccount(ctx, account), &accountsv1.ListFieldsRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask for the fields of account %s: %w", account, err)
	}
	schema, err := fields.SchemaOf(res.GetFields())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "bad-field", err, "the account's fields cannot be used")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[account] = knownSchema{schema, s.now()}
	for id := range s.known { // whichever comes: those in use come back
		if len(s.known) <= mostSchemas {
			break
		}
		if id != account {
			delete(s.known, id)
		}
	}
	return schema, nil
}

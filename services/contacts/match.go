package contacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

const (
	mostRows  = 20_000          // of a batch
	batchWait = 2 * time.Minute // for the next batch: longer, and the snapshot is given up
	ahead     = 4               // batches received while one is looked up
)

// matchEdge is MatchService over the contact database.
type matchEdge struct {
	contactsv1.UnimplementedMatchServiceServer
	contacts *contactdb.Contacts
}

// received is a batch or what came in its place.
type received struct {
	batch *contactdb.Batch
	err   error
}

func (e *matchEdge) Match(stream grpc.BidiStreamingServer[contactsv1.MatchRequest, contactsv1.MatchResponse]) error {
	account, err := rpc.AccountOf(stream.Context())
	if err != nil {
		return err
	}
	batches := make(chan received, ahead)
	// Nothing but the end of the stream wakes Recv, and the stream ends when this method returns: so the reader outlives
	// the method by that moment. It gives nothing away after it.
	go receive(stream, batches)
	return e.contacts.Match(stream.Context(), account, func(ctx context.Context, m *contactdb.Matching) error {
		state := &contactsv1.AccountContacts{Held: m.Held, KeyVersion: m.KeyVersion}
		idle := time.NewTimer(batchWait)
		defer idle.Stop()
		for {
			idle.Reset(batchWait)
			var next received
			select {
			case next = <-batches:
			case <-ctx.Done():
				return ctx.Err()
			case <-idle.C:
				return fault.New(fault.Deadline, "no-batch", "no batch came for %s", batchWait)
			}
			switch {
			case errors.Is(next.err, io.EOF) && state != nil:
				return stream.Send(&contactsv1.MatchResponse{Account: state}) // no rows: the state is all there is to tell
			case errors.Is(next.err, io.EOF):
				return nil
			case next.err != nil:
				return next.err
			}
			var hits contactdb.Hits
			if err := m.Find(ctx, next.batch, &hits); err != nil {
				return fmt.Errorf("match rows of account %s: %w", account, err)
			}
			answer := &contactsv1.MatchResponse{Account: state, Rows: hits.Rows, ContactIds: hits.Contacts, Keys: hits.Keys, ExternalIds: hits.ExternalIDs}
			state = nil
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
	})
}

// receive reads batches until there are no more.
func receive(stream grpc.BidiStreamingServer[contactsv1.MatchRequest, contactsv1.MatchResponse], into chan<- received) {
	for {
		var next received
		req, err := stream.Recv()
		if err == nil {
			next.batch, err = toBatch(req)
		}
		next.err = err
		select {
		case into <- next:
		case <-stream.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func toBatch(p *contactsv1.MatchRequest) (*contactdb.Batch, error) {
	if p.GetRows() == 0 || p.GetRows() > mostRows {
		return nil, fault.New(fault.Invalid, "bad-batch", "a batch has 1 to %d rows, not %d", mostRows, p.GetRows())
	}
	b := &contactdb.Batch{Rows: int(p.GetRows())}
	for _, k := range p.GetKeys() {
		switch {
		case k.GetKey() >= contact.Keys:
			return nil, fault.New(fault.Invalid, "bad-key", "there is no key %d", k.GetKey())
		case b.Keys[k.GetKey()] != nil:
			return nil, fault.New(fault.Invalid, "bad-key", "key %d is there twice", k.GetKey())
		case len(k.GetHashes()) != 0 && len(k.GetHashes()) != 16*b.Rows:
			return nil, fault.New(fault.Invalid, "bad-key", "key %d has %d bytes for %d rows", k.GetKey(), len(k.GetHashes()), b.Rows)
		}
		b.Keys[k.GetKey()] = k.GetHashes()
	}
	return b, nil
}

package contacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

const (
	mostRows  = 20_000                // of a batch
	batchWait = 2 * time.Minute       // for the next batch: longer, and the snapshot is given up
	ahead     = 5                     // batches that are taken in while others are looked up, and looked up together; each costs some 10 MiB
	closely   = 20 * time.Millisecond // within which a batch must follow another to be looked up with it; the end of the stream comes sooner
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
		var hits contactdb.Hits
		for {
			group, err := gather(ctx, batches)
			if len(group) > 0 {
				if err := m.Find(ctx, joined(group), &hits); err != nil {
					return fmt.Errorf("match rows of account %s: %w", account, err)
				}
				for _, answer := range split(&hits, group) {
					answer.Account, state = state, nil
					if err := stream.Send(answer); err != nil {
						return err
					}
				}
			}
			switch {
			case errors.Is(err, io.EOF) && state != nil:
				return stream.Send(&contactsv1.MatchResponse{Account: state}) // no rows: the state is all there is to tell
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
		}
	})
}

// gather waits for a batch and takes along those that follow it closely: the more keys are looked up at once, the less each
// costs, for a page of the index is read once for all of them. With an error it returns the batches before it.
func gather(ctx context.Context, batches <-chan received) ([]*contactdb.Batch, error) {
	idle := time.NewTimer(batchWait)
	defer idle.Stop()
	var group []*contactdb.Batch
	select {
	case next := <-batches:
		if next.err != nil {
			return nil, next.err
		}
		group = append(group, next.batch)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-idle.C:
		return nil, fault.New(fault.Deadline, "no-batch", "no batch came for %s", batchWait)
	}
	for len(group) < ahead {
		idle.Reset(closely)
		select {
		case next := <-batches:
			if next.err != nil {
				return group, next.err
			}
			group = append(group, next.batch)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-idle.C:
			return group, nil
		}
	}
	return group, nil
}

// joined is one batch of the rows of several.
func joined(group []*contactdb.Batch) *contactdb.Batch {
	if len(group) == 1 {
		return group[0]
	}
	all := &contactdb.Batch{}
	for _, b := range group {
		for key, hashes := range b.Keys {
			if len(hashes) > 0 {
				gap := 16*all.Rows - len(all.Keys[key]) // rows before, of batches without this key
				all.Keys[key] = append(append(all.Keys[key], make([]byte, gap)...), hashes...)
			}
		}
		all.Rows += b.Rows
	}
	return all
}

// split gives each batch of a group the hits on its rows. The answers hold copies.
func split(hits *contactdb.Hits, group []*contactdb.Batch) []*contactsv1.MatchResponse {
	answers := make([]*contactsv1.MatchResponse, len(group))
	first, i := 0, 0
	for n, b := range group {
		from := i
		for i < len(hits.Rows) && int(hits.Rows[i]) < first+b.Rows {
			i++
		}
		a := &contactsv1.MatchResponse{
			Rows:        slices.Clone(hits.Rows[from:i]),
			Keys:        slices.Clone(hits.Keys[from:i]),
			ContactIds:  slices.Clone(hits.Contacts[16*from : 16*i]),
			ExternalIds: slices.Clone(hits.ExternalIDs[16*from : 16*i]),
		}
		for at := range a.Rows {
			a.Rows[at] -= uint32(first)
		}
		answers[n] = a
		first += b.Rows
	}
	return answers
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
	if p.GetRows() > mostRows {
		return nil, fault.New(fault.Invalid, "bad-batch", "a batch has at most %d rows, not %d", mostRows, p.GetRows())
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

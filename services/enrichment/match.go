package enrichment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	"github.com/contactmill/contactmill/services/enrichment/internal/repeat"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// batchRows is how many rows are matched at once, as the contract allows, and batchHits how many of their keys at most
	// can hit: 38 bytes each, so that the answer fits a message of 4 MiB even where every key hits a contact of its own.
	batchRows = 20_000
	batchHits = 100_000

	// batchesAhead is how many batches may be with the contacts service before their answers are read: it takes those that
	// wait together, and larger look-ups cost less.
	batchesAhead = 8
)

// match says for every row of a job which contact it belongs to, and whether the account has room for the new ones.
func (s *Service) match(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	if err := owned(c); err != nil {
		return nil, err
	}
	schema, err := fields.SchemaOf(c.Work.GetAccount().GetFields())
	if err != nil {
		return nil, fmt.Errorf("read the account's fields: %w", err)
	}
	policies, err := fields.PoliciesOf(c.Work.GetJob().GetPolicies(), schema)
	if err != nil {
		return nil, fmt.Errorf("read the job's policies: %w", err)
	}
	v := c.Work.Validated
	finder := repeat.New(v.Rows, bits.OnesCount32(v.Keys&repeat.Unique), func(ctx context.Context, from int64, f func(int64, *row.Keys) (bool, error)) error {
		return s.eachKeys(ctx, v.Chunks, from, f)
	})
	err = s.eachKeys(ctx, v.Chunks, 0, func(_ int64, k *row.Keys) (bool, error) { finder.See(k); return true, nil })
	if err != nil {
		return nil, err
	}
	out, err := s.blob.Writer(ctx, c.Object("verdicts"))
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	foreseen, err := s.forecast(ctx, c)
	if err != nil {
		return nil, err
	}
	m := &matching{forecast: foreseen, mode: row.Mode(c.Work.Job.Settings.Mode), chosen: policies.Keys, finder: finder, verdicts: row.NewVerdictsWriter(out),
		progress: func(done int64) { c.Progress(done, v.Rows) }}
	if err := s.matchRows(ctx, v, m); err != nil {
		return nil, err
	}
	if m.written != v.Rows {
		return nil, fault.New(fault.DataLoss, "rows-missing", "validation left %d rows, %d were found", v.Rows, m.written)
	}
	if err := m.verdicts.Close(); err != nil {
		return nil, fmt.Errorf("write verdicts: %w", err)
	}
	object, err := out.Close()
	if err != nil {
		return nil, err
	}
	r := &ingestv1.MatchResult{Verdicts: stage.ToObject(object), KeyVersion: m.held.GetKeyVersion(), NewRows: m.fresh, Shares: m.shares.list()}
	if r.Forecast, err = m.forecast.end(ctx); err != nil {
		return nil, err
	}
	if r.Question = unknownIDs(c.Work, schema.KeyName, m.held.GetHeld(), &m.shares); r.Question != nil {
		return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Matched{Matched: r}}, nil
	}
	if m.fresh > 0 && !c.Work.Job.Settings.Check {
		if r.Rejected, err = s.room(ctx, m.held.GetHeld(), m.fresh); err != nil {
			return nil, err
		}
	}
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Matched{Matched: r}}, nil
}

// room checks that the account may hold so many more contacts, and says so if not.
func (s *Service) room(ctx context.Context, held, fresh int64) (*ingestv1.Problem, error) {
	a, err := s.accounts.GetAccount(ctx, &accountsv1.GetAccountRequest{})
	if err != nil {
		return nil, fmt.Errorf("read the package: %w", err)
	}
	if held+fresh <= a.Account.Package {
		return nil, nil
	}
	return &ingestv1.Problem{
		Code:    "package-too-small",
		Message: fmt.Sprintf("The package allows %d contacts; the account holds %d and the file brings %d new ones.", a.Account.Package, held, fresh),
		Hint:    "Enlarge the package or hand in fewer new contacts, then retry the job.",
	}, nil
}

// matching gathers the verdicts on the rows of one job.
type matching struct {
	mode     row.Mode
	chosen   uint16 // the keys that rows are matched by, 0 for all
	finder   *repeat.Finder
	verdicts *row.VerdictsWriter
	progress func(done int64)
	forecast *forecast // nil where nobody wants one

	held    *contactsv1.AccountContacts
	written int64
	fresh   int64 // rows that will be new contacts
	shares  shares
	hits    []row.Hit
	several []row.Candidate
}

// question is a batch on its way: what was asked of the contacts and what is known without them.
type question struct {
	request   *contactsv1.MatchRequest
	verdicts  []row.Verdict // Relation 0 where the contacts decide
	externals []byte        // hashes of the rows' external ids, 16 bytes each
	masks     []uint16      // the keys that rows have, none for those that are INVALID or repeats
}

// matchRows runs all rows through one stream to the contacts service: one goroutine asks, this one reads the answers.
func (s *Service) matchRows(ctx context.Context, v *ingestv1.ValidateResult, m *matching) error {
	g, ctx := errgroup.WithContext(ctx)
	stream, err := s.matcher.Match(ctx) // ends when either side does
	if err != nil {
		return fmt.Errorf("ask for matches: %w", err)
	}
	asked := make(chan *question, batchesAhead)
	g.Go(func() error {
		defer close(asked)
		send := func(q *question) error {
			if err := stream.Send(q.request); err != nil && !errors.Is(err, io.EOF) { // EOF: the answer tells why
				return fmt.Errorf("ask for matches: %w", err)
			}
			select {
			case asked <- q:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		keys := row.Asked(uint16(v.Keys), m.chosen)
		most := min(batchRows, batchHits/max(1, bits.OnesCount16(keys)))
		room := int(min(int64(most), v.Rows))
		q := newQuestion(keys, room)
		err := s.eachKeys(ctx, v.Chunks, 0, func(n int64, k *row.Keys) (bool, error) {
			if err := q.add(ctx, n, k, m.finder); err != nil {
				return false, err
			}
			if len(q.verdicts) < most {
				return true, nil
			}
			full := q
			q = newQuestion(keys, room)
			return true, send(full)
		})
		if err == nil && (len(q.verdicts) > 0 || v.Rows == 0) {
			err = send(q)
		}
		if err != nil {
			return err
		}
		return stream.CloseSend()
	})
	g.Go(func() error {
		for q := range asked {
			answer, err := stream.Recv()
			if err != nil {
				return fmt.Errorf("read matches: %w", err)
			}
			if answer.Account != nil {
				m.held = answer.Account
			}
			if err := m.take(ctx, q, answer); err != nil {
				return err
			}
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			if err == nil {
				err = fault.New(fault.Internal, "match-answer", "the contacts service answered more than it was asked")
			}
			return fmt.Errorf("read the end of matches: %w", err)
		}
		if m.held == nil {
			return fault.New(fault.Internal, "match-answer", "the contacts service did not say what the account holds")
		}
		return nil
	})
	return g.Wait()
}

// newQuestion makes an empty batch for so many rows with the keys given, bit n for key n.
func newQuestion(keys uint16, rows int) *question {
	q := &question{request: &contactsv1.MatchRequest{}, verdicts: make([]row.Verdict, 0, rows), masks: make([]uint16, 0, rows)}
	for n := range uint32(row.KeyCount) {
		if keys&(1<<n) != 0 {
			q.request.Keys = append(q.request.Keys, &contactsv1.KeyColumn{Key: n, Hashes: make([]byte, 0, rows*16)})
		}
	}
	return q
}

// add takes the next row into the batch. One that is INVALID or a repeat asks for nothing.
func (q *question) add(ctx context.Context, number int64, k *row.Keys, f *repeat.Finder) error {
	var v row.Verdict
	mask := k.Mask
	first, line, by, err := f.First(ctx, number, k)
	switch {
	case err != nil:
		return err
	case k.Invalid:
		v.Relation, mask = row.Bad, 0
	case by != 0:
		v, mask = row.Verdict{Relation: row.Repeat, First: first, FirstLine: line, Keys: by}, 0
	}
	q.verdicts = append(q.verdicts, v)
	q.masks = append(q.masks, mask)
	q.request.Rows++
	var zero [16]byte
	for _, c := range q.request.Keys {
		h := &zero
		if mask&(1<<c.Key) != 0 {
			h = &k.Hash[c.Key]
		}
		c.Hashes = append(c.Hashes, h[:]...)
		if c.Key == keyExternalID {
			q.externals = c.Hashes
		}
	}
	return nil
}

// hash of a key that row i of the batch was asked about by; the zero one if it has none.
func (q *question) hash(i int, k contact.Key) (h uuid.UUID) {
	if q.masks[i]&(1<<k) == 0 {
		return h
	}
	for _, c := range q.request.Keys {
		if c.Key == uint32(k) {
			copy(h[:], c.Hashes[i*16:])
		}
	}
	return h
}

// keyExternalID is the stored number of the external id.
const keyExternalID = 1

// take writes the verdicts on a batch.
func (m *matching) take(ctx context.Context, q *question, a *contactsv1.MatchResponse) error {
	hits := len(a.Rows)
	if len(a.ContactIds) != hits*16 || len(a.ExternalIds) != hits*16 || len(a.Keys) != hits {
		return fault.New(fault.Internal, "match-answer", "the contacts service answered columns of different lengths")
	}
	at := 0
	for i := range q.verdicts {
		v := &q.verdicts[i]
		m.hits = m.hits[:0]
		var hit uint16
		for ; at < hits && int(a.Rows[at]) == i; at++ {
			hit |= uint16(a.Keys[at])
			m.hits = append(m.hits, row.Hit{Contact: uuid.UUID(a.ContactIds[at*16:]), Keys: uint16(a.Keys[at]), ExternalID: [16]byte(a.ExternalIds[at*16:])})
		}
		if v.Relation == 0 {
			var external [16]byte
			if q.externals != nil {
				external = [16]byte(q.externals[i*16:])
			}
			*v = row.Relate(m.hits, external, m.chosen, m.several[:0])
			if v.Several != nil {
				m.several = v.Several
			}
		}
		if _, action := row.Decide(m.mode, v.Relation); action == row.AddContact {
			m.fresh++
			if m.forecast != nil {
				if err := m.forecast.add(ctx, q.hash(i, contact.Phone), q.hash(i, contact.Email)); err != nil {
					return err
				}
			}
		}
		m.shares.add(q.masks[i], hit)
		if err := m.verdicts.Append(v); err != nil {
			return fmt.Errorf("write verdicts: %w", err)
		}
	}
	if at != hits {
		return fault.New(fault.Internal, "match-answer", "the contacts service answered rows out of order")
	}
	m.written += int64(len(q.verdicts))
	m.progress(m.written)
	return nil
}

// eachKeys calls f with the keys of the rows from a number on, in the file's order, until it says that it is enough; they are
// valid for the call.
func (s *Service) eachKeys(ctx context.Context, chunks []*ingestv1.Chunk, from int64, f func(number int64, k *row.Keys) (more bool, err error)) error {
	for _, c := range chunks {
		if c.FirstRow+c.Rows <= from {
			continue
		}
		more, err := s.eachKeysOf(ctx, c, from, f)
		if err != nil {
			return fmt.Errorf("read keys %s: %w", c.GetKeys().GetName(), err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (s *Service) eachKeysOf(ctx context.Context, c *ingestv1.Chunk, from int64, f func(number int64, k *row.Keys) (more bool, err error)) (more bool, err error) {
	src, err := s.open(ctx, c.Keys)
	if err != nil {
		return false, err
	}
	defer src.Close()
	r, err := row.NewKeysReader(src)
	if err != nil {
		return false, err
	}
	for n := c.FirstRow; ; n++ {
		k, err := r.Next()
		if errors.Is(err, io.EOF) {
			if n != c.FirstRow+c.Rows {
				return false, fault.New(fault.DataLoss, "rows-missing", "%d rows where %d were said", n-c.FirstRow, c.Rows)
			}
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if n < from {
			continue
		}
		if more, err := f(n, k); !more || err != nil {
			return false, err
		}
	}
}

package enrichment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// batchSubjects is how many new contacts are asked about at once; the contract allows 10,000.
const batchSubjects = 5_000

// enrich asks the provider about the new contacts of a job, batch after batch. Before a batch is sent it is in the ledger,
// and before the next one is sent its answer is too: whatever happens, nothing is paid twice.
func (s *Service) enrich(ctx context.Context, c *stage.Claim) (*ingestv1.FinishRequest, error) {
	if err := owned(c, c.Work.GetMatched().GetVerdicts()); err != nil {
		return nil, err
	}
	out, err := s.blob.Writer(ctx, c.Object("facts"))
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := &enriching{s: s, account: c.Account, job: c.Job, facts: row.NewFactsWriter(out), digest: sha256.New()}
	fresh := c.Work.Matched.NewRows
	err = s.eachNew(ctx, c.Work, func(number int64, phone, email []byte) error {
		if len(phone) == 0 && len(email) == 0 {
			return nil
		}
		e.add(number, phone, email)
		if len(e.rows) < batchSubjects {
			return nil
		}
		c.Progress(e.sent, fresh)
		return e.ask(ctx)
	})
	if err == nil && len(e.rows) > 0 {
		err = e.ask(ctx)
	}
	if err == nil {
		err = e.end(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.Progress(fresh, fresh)
	if err := e.facts.Close(); err != nil {
		return nil, fmt.Errorf("write facts: %w", err)
	}
	object, err := out.Close()
	if err != nil {
		return nil, err
	}
	return &ingestv1.FinishRequest{Result: &ingestv1.FinishRequest_Enriched{Enriched: &ingestv1.EnrichResult{Facts: stage.ToObject(object), Sent: e.sent, Known: e.known}}}, nil
}

// enriching is the way of one job through the provider.
type enriching struct {
	s            *Service
	account, job uuid.UUID
	stream       providerv1.ProviderService_EnrichClient // opened when first needed
	facts        *row.FactsWriter
	digest       hash.Hash

	rows        []int64
	subjects    []*providerv1.Subject
	last        *answered // answered and not yet in the ledger
	sent, known int64
}

func (e *enriching) add(number int64, phone, email []byte) {
	e.rows = append(e.rows, number)
	e.subjects = append(e.subjects, &providerv1.Subject{Phone: string(phone), Email: string(email)})
}

// ask gets the answer to the batch that was gathered and writes its facts.
func (e *enriching) ask(ctx context.Context) error {
	b := &batch{account: e.account, job: e.job, provider: e.s.provider, id: e.id(), subjects: len(e.subjects)}
	answer, err := e.s.ledger.next(ctx, e.last, b)
	if err != nil {
		return err
	}
	e.last = nil
	if answer == nil {
		if answer, err = e.send(ctx, b); err != nil {
			return fmt.Errorf("ask provider %s: %w", e.s.provider, err)
		}
		e.last = &answered{batch: *b, response: answer, known: known(answer)}
	}
	return e.write(answer)
}

// end saves the last answer.
func (e *enriching) end(ctx context.Context) error {
	if e.stream != nil {
		if err := e.stream.CloseSend(); err != nil {
			return fmt.Errorf("end questions to provider %s: %w", e.s.provider, err)
		}
	}
	if e.last == nil {
		return nil
	}
	_, err := e.s.ledger.next(ctx, e.last, nil)
	return err
}

// id makes the same batch of the same subjects, whichever job asks.
func (e *enriching) id() string {
	e.digest.Reset()
	put := func(s string) { // length first, so that no two batches read alike
		fmt.Fprintf(e.digest, "%d:", len(s))
		io.WriteString(e.digest, s)
	}
	e.digest.Write(e.account[:])
	put(e.s.provider)
	for _, s := range e.subjects {
		put(s.Phone)
		put(s.Email)
	}
	return hex.EncodeToString(e.digest.Sum(nil))
}

// send asks the provider and checks what it says.
func (e *enriching) send(ctx context.Context, b *batch) (*providerv1.EnrichResponse, error) {
	if e.stream == nil {
		stream, err := e.s.providers.Enrich(ctx)
		if err != nil {
			return nil, err
		}
		e.stream = stream
	}
	deadline, cancel := context.WithTimeoutCause(ctx, e.s.cfg.ProviderTimeout, fault.New(fault.Unavailable, "provider-slow", "no answer in %s", e.s.cfg.ProviderTimeout))
	defer cancel()
	type reply struct {
		r   *providerv1.EnrichResponse
		err error
	}
	replies := make(chan reply, 1)
	go func() { // ends with the stream, whose context ends with the stage
		if err := e.stream.Send(&providerv1.EnrichRequest{BatchId: b.id, Subjects: e.subjects}); err != nil && !errors.Is(err, io.EOF) {
			replies <- reply{nil, err}
			return
		}
		r, err := e.stream.Recv()
		replies <- reply{r, err}
	}()
	select {
	case got := <-replies:
		if got.err != nil {
			return nil, ours(got.err)
		}
		return got.r, check(got.r, b.id, len(e.subjects))
	case <-deadline.Done():
		return nil, context.Cause(deadline)
	}
}

// ours tells a provider that does not serve us from one that cannot answer this batch: only the batch is the job's doing.
func ours(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Unavailable, "provider-ended", "it ended the stream before it answered")
	}
	switch fault.Of(err) {
	case fault.Unauthenticated, fault.Denied, fault.Unimplemented, fault.NotFound, fault.Cancelled:
		return fault.Wrap(fault.Unavailable, "provider-refuses", err, "it does not serve us: %s", fault.Of(err)).Hint("check the provider's address and credential")
	}
	return err
}

// write notes the facts of a batch and empties it.
func (e *enriching) write(a *providerv1.EnrichResponse) error {
	sets := make([][]byte, len(a.FactSets)+1)
	for i, set := range a.FactSets {
		sets[i+1] = e.setJSON(set)
	}
	for i, number := range e.rows {
		p, m := a.PhoneFacts[i], a.EmailFacts[i]
		if p == 0 && m == 0 {
			continue
		}
		e.known++
		if err := e.facts.Append(number, sets[p], sets[m]); err != nil {
			return fmt.Errorf("write facts: %w", err)
		}
	}
	e.sent += int64(len(e.rows))
	e.rows, e.subjects = e.rows[:0], nil // the subjects may still be on their way
	return nil
}

func (e *enriching) setJSON(set *providerv1.FactSet) []byte {
	m := make(map[string]string, len(set.Facts))
	for _, f := range set.Facts {
		m[f.Name] = f.Value
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings always can
	}
	return b
}

// eachNew calls f with the phone and email, normalised, of every row that will be a new contact, in the file's order.
func (s *Service) eachNew(ctx context.Context, w *ingestv1.Work, f func(number int64, phone, email []byte) error) error {
	src, err := s.open(ctx, w.GetMatched().GetVerdicts())
	if err != nil {
		return err
	}
	defer src.Close()
	verdicts, err := row.NewVerdictsReader(src)
	if err != nil {
		return err
	}
	mode := row.Mode(w.Job.Settings.Mode)
	for _, c := range w.Validated.Chunks {
		if err := s.eachNewOf(ctx, c, mode, verdicts, f); err != nil {
			return fmt.Errorf("read rows %s: %w", c.Cells.Name, err)
		}
	}
	if _, err := verdicts.Next(); !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.DataLoss, "rows-missing", err, "there are more verdicts than rows")
	}
	return nil
}

func (s *Service) eachNewOf(ctx context.Context, c *ingestv1.Chunk, mode row.Mode, verdicts *row.VerdictsReader, f func(number int64, phone, email []byte) error) error {
	src, err := s.open(ctx, c.Cells)
	if err != nil {
		return err
	}
	defer src.Close()
	rows, err := row.NewCellsReader(src)
	if err != nil {
		return err
	}
	phone, email := -1, -1
	for i, col := range rows.Header.Mapped() {
		switch rows.Header.Columns[col].Field {
		case "phone":
			phone = i
		case "email":
			email = i
		}
	}
	for n := c.FirstRow; ; n++ {
		r, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		v, err := verdicts.Next()
		if err != nil {
			return fmt.Errorf("read verdict on row %d: %w", n, err)
		}
		if _, action := row.Decide(mode, v.Relation); action != row.AddContact {
			continue
		}
		if err := f(n, value(r, phone), value(r, email)); err != nil {
			return err
		}
	}
}

func value(r *row.Cells, i int) []byte {
	if i < 0 || i >= len(r.Values) || r.Values[i].Kind != row.AsCell && r.Values[i].Kind != row.AsText {
		return nil
	}
	return r.Values[i].Text
}

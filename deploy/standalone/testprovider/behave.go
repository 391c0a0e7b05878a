package testprovider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// Behaviour is how batches are answered from now on. The modes, and whether a batch is charged that was not before:
//
//	ok                  charged   as the contract says
//	slow                charged   after delay_ms
//	fail                no        the status code, UNAVAILABLE if none is said
//	quota               no        RESOURCE_EXHAUSTED
//	busy                no        an answer that asks to come back after delay_ms
//	hang                charged   no answer at all
//	drip                charged   the answer's bytes leave one by one, delay_ms apart, 1000 if none is said
//	cut                 charged   the connection ends in the middle of the answer
//	reset-after-charge  charged   the connection ends before the answer
//	end                 charged   the stream ends before the answer
//	lie                 charged   facts of other people, and their checks
//	unchecked           charged   no checks
//	wrong-batch         charged   the answer to a batch that nobody asked
//	twice               charged   the answer, two times
//	short               charged   no answer about the last subject
//	index               charged   a set of facts that is not there
//	control             charged   a fact with a control character
//	dear                charged   one millionth more than the price
//	garbage             charged   bytes that are no answer
//	huge                charged   an answer of size_bytes, 64 MiB if none is said
type Behaviour struct {
	Mode      string   `json:"mode"`
	DelayMS   int      `json:"delay_ms"`
	Times     int      `json:"times"`      // after so many batches it is ok again; 0: never
	Batches   []string `json:"batches"`    // only these batches; empty: all
	Phones    string   `json:"phones"`     // only batches with a phone that begins so; one behaviour for each beginning, beside that for all
	Code      string   `json:"code"`       // for fail: "INTERNAL"
	SizeBytes int      `json:"size_bytes"` // for huge
	Describe  bool     `json:"describe"`   // fail, quota and hang: calls of Describe too, which are not counted
}

// modes is what is done for each; nil is ok.
var modes = map[string]func(*exchange) error{
	"ok": nil, "slow": (*exchange).slow, "fail": (*exchange).fail, "quota": (*exchange).quota, "busy": (*exchange).busy, "hang": (*exchange).hang,
	"drip": (*exchange).drip, "cut": (*exchange).cut, "reset-after-charge": (*exchange).reset, "end": (*exchange).end, "lie": (*exchange).lie,
	"unchecked": (*exchange).unchecked, "wrong-batch": (*exchange).wrongBatch, "twice": (*exchange).twice, "short": (*exchange).short,
	"index": (*exchange).index, "control": (*exchange).control, "dear": (*exchange).dear, "garbage": (*exchange).garbage, "huge": (*exchange).huge,
}

// free are modes that charge nothing.
var free = []string{"fail", "quota", "busy"}

// manners is the behaviour that was asked for.
type manners struct {
	mu      sync.Mutex
	now     map[string]*Behaviour // by the beginning of phones; "" is for all others
	changed chan struct{}         // closed when another is asked for; nil until somebody waits
	over    bool
}

func (m *manners) set(b Behaviour) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now == nil {
		m.now = map[string]*Behaviour{}
	}
	m.now[b.Phones] = &b
	m.wake()
}

func (m *manners) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	m.wake()
}

func (m *manners) wake() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// of is the behaviour towards a batch, and counts it. Of several that speak of it, that for the longest beginning is meant.
func (m *manners) of(q *providerv1.EnrichRequest) Behaviour {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *Behaviour
	for _, b := range m.now {
		if (found == nil || len(b.Phones) > len(found.Phones)) && b.speaksOf(q) {
			found = b
		}
	}
	if found == nil {
		return Behaviour{}
	}
	how := *found
	if found.Times > 0 {
		if found.Times--; found.Times == 0 {
			delete(m.now, found.Phones)
		}
	}
	return how
}

func (b *Behaviour) speaksOf(q *providerv1.EnrichRequest) bool {
	if len(b.Batches) > 0 && !slices.Contains(b.Batches, q.BatchId) {
		return false
	}
	return b.Phones == "" || slices.ContainsFunc(q.Subjects, func(s *providerv1.Subject) bool { return strings.HasPrefix(s.Phone, b.Phones) })
}

// wait waits for the end of ctx, or of the provider.
func (m *manners) wait(ctx context.Context, limit <-chan time.Time) error {
	m.mu.Lock()
	over := m.over
	if m.changed == nil && !over {
		m.changed = make(chan struct{})
	}
	changed := m.changed
	m.mu.Unlock()
	if over {
		return status.Error(codes.Unavailable, "the provider goes away")
	}
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-limit:
		return nil
	case <-changed: // who behaves otherwise now behaves so at once
		return nil
	}
}

// exchange is one batch that is answered.
type exchange struct {
	p      *Provider
	how    Behaviour
	stream grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]
	conn   *conn
	q      *providerv1.EnrichRequest
	a      *providerv1.EnrichResponse // right, until somebody spoils it
}

// errEnd ends a stream in order.
var errEnd = errors.New("end")

// Enrich answers batches, as it was told to.
func (p *Provider) Enrich(stream grpc.BidiStreamingServer[providerv1.EnrichRequest, providerv1.EnrichResponse]) error {
	var c *conn
	if who, ok := peer.FromContext(stream.Context()); ok {
		c = p.conns.of(who.Addr.String())
	}
	defer c.slowly(0)
	for {
		q, err := stream.Recv()
		c.slowly(0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.exchange(&exchange{p: p, stream: stream, conn: c, q: q}); err != nil {
			if errors.Is(err, errEnd) {
				return nil
			}
			return err
		}
	}
}

func (p *Provider) exchange(x *exchange) error {
	if err := x.refuse(); err != nil {
		return err
	}
	p.charges.asked(x.q.BatchId)
	x.how = p.manners.of(x.q)
	paid, err := p.charges.known(x.q)
	if err == nil && paid == nil && !slices.Contains(free, x.how.Mode) {
		paid, err = p.charges.pay(x.q, p.o.Price)
	}
	switch {
	case errors.Is(err, errOther):
		return status.Error(codes.InvalidArgument, err.Error())
	case err != nil:
		return status.Error(codes.Internal, err.Error())
	case paid != nil:
		x.a = answer(x.q, paid.Cost)
	}
	if spoil := modes[x.how.Mode]; spoil != nil {
		return spoil(x)
	}
	return x.stream.Send(x.a)
}

// refuse is what the contract does not allow callers.
func (x *exchange) refuse() error {
	id := x.q.BatchId
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return status.Error(codes.InvalidArgument, "a batch id is 1 to 128 printable ASCII characters")
	}
	if len(x.q.Subjects) > x.p.o.MaxBatch {
		return status.Errorf(codes.InvalidArgument, "a batch has %d subjects, %d are allowed", len(x.q.Subjects), x.p.o.MaxBatch)
	}
	return nil
}

func (x *exchange) delay() time.Duration { return time.Duration(x.how.DelayMS) * time.Millisecond }

func (x *exchange) slow() error {
	if err := x.p.manners.wait(x.stream.Context(), time.After(x.delay())); err != nil {
		return err
	}
	return x.stream.Send(x.a)
}

func (x *exchange) fail() error  { return x.how.failure() }
func (x *exchange) quota() error { return x.how.failure() }

func (x *exchange) busy() error {
	return x.stream.Send(&providerv1.EnrichResponse{BatchId: x.q.BatchId, RetryAfter: durationpb.New(x.delay())})
}

// hang answers nothing, not even when it behaves otherwise again: whoever waits has to give up.
func (x *exchange) hang() error {
	for {
		if err := x.p.manners.wait(x.stream.Context(), nil); err != nil {
			return err
		}
	}
}

func (x *exchange) drip() error {
	apart := x.delay()
	if apart == 0 {
		apart = time.Second
	}
	x.conn.slowly(apart)
	return x.stream.Send(x.a)
}

func (x *exchange) cut() error {
	x.conn.cutAfter(proto.Size(x.a) / 2)
	return x.stream.Send(x.a)
}

func (x *exchange) reset() error {
	x.conn.cut()
	return errEnd
}

func (x *exchange) end() error { return errEnd }

// lie answers about the next subject of the batch, or about somebody invented, with every number right.
func (x *exchange) lie() error {
	others := &providerv1.EnrichRequest{BatchId: x.q.BatchId}
	for i := range x.q.Subjects {
		others.Subjects = append(others.Subjects, x.q.Subjects[(i+1)%len(x.q.Subjects)])
	}
	if len(others.Subjects) == 1 {
		others.Subjects[0] = &providerv1.Subject{Phone: "+12025550199", Email: "somebody.else1@example.com"}
	}
	return x.stream.Send(answer(others, x.a.CostMicros))
}

func (x *exchange) unchecked() error {
	x.a.SubjectChecks = nil
	return x.stream.Send(x.a)
}

func (x *exchange) wrongBatch() error {
	x.a.BatchId = "nobody-asked"
	return x.stream.Send(x.a)
}

func (x *exchange) twice() error {
	if err := x.stream.Send(x.a); err != nil {
		return err
	}
	return x.stream.Send(x.a)
}

func (x *exchange) short() error {
	last := max(0, len(x.q.Subjects)-1)
	x.a.PhoneFacts, x.a.EmailFacts, x.a.SubjectChecks = x.a.PhoneFacts[:last], x.a.EmailFacts[:last], x.a.SubjectChecks[:last]
	return x.stream.Send(x.a)
}

func (x *exchange) index() error {
	if len(x.a.PhoneFacts) > 0 {
		x.a.PhoneFacts[0] = uint32(len(x.a.FactSets)) + 1
	}
	return x.stream.Send(x.a)
}

func (x *exchange) control() error {
	x.a.FactSets = append(x.a.FactSets, &providerv1.FactSet{Facts: []*providerv1.Fact{{Name: "line_type", Value: "mobile\x1b[2J"}}})
	if len(x.a.PhoneFacts) > 0 {
		x.a.PhoneFacts[0] = uint32(len(x.a.FactSets))
	}
	return x.stream.Send(x.a)
}

func (x *exchange) dear() error {
	x.a.CostMicros = x.p.o.Price*int64(len(x.q.Subjects)) + 1
	return x.stream.Send(x.a)
}

func (x *exchange) garbage() error {
	return x.stream.SendMsg(wrapperspb.Bytes([]byte("\xff\xfe\x00 no text"))) // field 1 of the answer is text
}

func (x *exchange) huge() error {
	size := x.how.SizeBytes
	if size == 0 {
		size = 64 << 20
	}
	value := strings.Repeat("x", 1<<10)
	for range size >> 10 {
		x.a.FactSets = append(x.a.FactSets, &providerv1.FactSet{Facts: []*providerv1.Fact{{Name: "line_type", Value: value}}})
	}
	return x.stream.Send(x.a)
}

func (b Behaviour) failure() error {
	code := codes.Unavailable
	if b.Mode == "quota" {
		code = codes.ResourceExhausted
	}
	if b.Code != "" {
		_ = code.UnmarshalJSON([]byte(`"` + b.Code + `"`)) // looked at when it was said
	}
	return status.Errorf(code, "the provider was told to %s", b.Mode)
}

// describing is what becomes of a call of Describe before it is answered.
func (p *Provider) describing(ctx context.Context) error {
	p.manners.mu.Lock()
	b := Behaviour{}
	if now := p.manners.now[""]; now != nil {
		b = *now
	}
	p.manners.mu.Unlock()
	switch {
	case !b.Describe:
		return nil
	case b.Mode == "fail" || b.Mode == "quota":
		return b.failure()
	case b.Mode == "hang":
		return p.manners.wait(ctx, nil)
	}
	return nil
}

// mux is the control.
func (p *Provider) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /behave", func(w http.ResponseWriter, r *http.Request) {
		b, err := behaviour(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.manners.set(b)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /paid", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(p.charges.paid()) // who asked is gone
	})
	return mux
}

func behaviour(r io.Reader) (Behaviour, error) {
	var b Behaviour
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return b, fmt.Errorf("read behaviour: %w", err)
	}
	if _, ok := modes[b.Mode]; !ok {
		return b, fmt.Errorf("mode %q: say one of %s", b.Mode, strings.Join(slices.Sorted(maps.Keys(modes)), ", "))
	}
	var code codes.Code
	if b.Code != "" && (b.Mode != "fail" || code.UnmarshalJSON([]byte(`"`+b.Code+`"`)) != nil || code == codes.OK) {
		return b, fmt.Errorf("code %q: only with mode fail, a gRPC status by its name, e.g. INTERNAL", b.Code)
	}
	if b.DelayMS < 0 || b.Times < 0 || b.SizeBytes < 0 {
		return b, errors.New("delay_ms, times and size_bytes are not negative")
	}
	return b, nil
}

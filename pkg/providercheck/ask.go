package providercheck

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// people are n subjects, numbered from first: numbers and addresses that are set apart for examples.
func people(first, n int) []*providerv1.Subject {
	var all []*providerv1.Subject
	for i := first; i < first+n; i++ {
		all = append(all, &providerv1.Subject{Phone: fmt.Sprintf("+1%03d55501%02d", 201+i/100%799, i%100), Email: fmt.Sprintf("check%d@example.com", i)})
	}
	return all
}

// ask sends a batch on a stream of its own and looks at the answer. While the provider is away or busy it asks again.
func (c *check) ask(ctx context.Context, conn *grpc.ClientConn, q *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	wait := firstWait
	for try := 1; ; try++ {
		a, err := c.once(ctx, conn, q)
		asked := wait
		switch {
		case err == nil && a.RetryAfter == nil:
			return a, c.observe(q, a)
		case err == nil:
			c.postponed(q, a)
			asked, err = max(wait, a.RetryAfter.AsDuration()), fault.New(fault.Unavailable, "", "it asks to come back in %s, again and again", a.RetryAfter.AsDuration())
		case !errors.Is(err, fault.Unavailable) && !errors.Is(err, fault.Exhausted):
			return nil, err
		}
		if try == attempts {
			return nil, err
		}
		if err := pause(ctx, min(asked, longestWait)); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

// postponed looks at an answer that asks to come back.
func (c *check) postponed(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse) {
	c.busy++
	switch {
	case a.RetryAfter.CheckValid() != nil || a.RetryAfter.AsDuration() < 0:
		c.note("retry-after", "a batch is to be asked again after a time that is none")
	case len(a.FactSets)+len(a.PhoneFacts)+len(a.EmailFacts)+len(a.SubjectChecks) > 0 || a.CostMicros != 0:
		c.note("retry-after", "a batch of %d subjects is to be asked again, and was answered or charged all the same", len(q.Subjects))
	}
}

// pause waits, but for ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// once sends a batch on a stream of its own and reads to the end of it.
func (c *check) once(ctx context.Context, conn *grpc.ClientConn, q *providerv1.EnrichRequest) (*providerv1.EnrichResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	stream, err := providerv1.NewProviderServiceClient(conn).Enrich(ctx, grpc.MaxCallRecvMsgSize(mostAnswer))
	if err != nil {
		return nil, err
	}
	if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	a, err := c.receive(stream)
	if err != nil {
		return nil, err
	}
	if a.BatchId != q.BatchId {
		return nil, c.breach("answers", "one batch was asked, and another one answered")
	}
	return a, c.finish(stream, cancel)
}

// receive reads the next answer.
func (c *check) receive(stream providerv1.ProviderService_EnrichClient) (*providerv1.EnrichResponse, error) {
	a, err := stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil, c.breach("answers", "the stream ended before a batch was answered")
	case errors.Is(err, fault.Deadline):
		return nil, c.breach(c.blame, "there was no answer in %s", c.o.Timeout)
	}
	return a, err
}

// finish half-closes a stream on which all is answered, and waits for its end.
func (c *check) finish(stream providerv1.ProviderService_EnrichClient, cancel func()) error {
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if c.endless {
		return nil
	}
	limit := time.AfterFunc(grace, cancel)
	_, err := stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		limit.Stop()
	case err == nil:
		return c.breach("answers", "there were more answers than batches")
	case !limit.Stop() || errors.Is(err, fault.Deadline):
		c.endless = true
		c.note("half-close", "a stream that was half-closed did not end in %s", grace)
	default:
		c.note("half-close", "a stream that was half-closed ended with %s", describeError(err))
	}
	return nil
}

// observe holds an answer against all rules that speak of every answer. Its error says that nothing more can be told by it.
func (c *check) observe(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse) error {
	c.answers++
	n := len(q.Subjects)
	if _, ok := c.charged[q.BatchId]; !ok {
		c.charged[q.BatchId] = a.CostMicros
	}
	if most := max(0, c.d.PriceMicros) * int64(n); a.CostMicros < 0 || a.CostMicros > most {
		c.note("cost", "%d subjects cost %d millionths, %d at most by its price", n, a.CostMicros, most)
	}
	if len(a.PhoneFacts) != n || len(a.EmailFacts) != n {
		return c.breach("lengths", "%d subjects have %d and %d answers about phones and emails", n, len(a.PhoneFacts), len(a.EmailFacts))
	}
	c.observeChecks(q, a)
	c.observeFacts(a)
	if len(a.FactSets) > 2*n {
		c.note("indexes", "%d subjects are answered with %d sets of facts, at most two for each are needed", n, len(a.FactSets))
	}
	for i := range n {
		if int(a.PhoneFacts[i]) > len(a.FactSets) || int(a.EmailFacts[i]) > len(a.FactSets) {
			return c.breach("indexes", "subject %d of %d refers to set %d of %d", i+1, n, max(a.PhoneFacts[i], a.EmailFacts[i]), len(a.FactSets))
		}
		c.observeNames(a, a.PhoneFacts[i], c.d.PhoneFacts, "phone")
		c.observeNames(a, a.EmailFacts[i], c.d.EmailFacts, "email")
		if q.Subjects[i].Phone == "" && a.PhoneFacts[i] != 0 || q.Subjects[i].Email == "" && a.EmailFacts[i] != 0 {
			c.note("empty", "it knows something of an empty phone or email")
		}
	}
	return nil
}

func (c *check) observeChecks(q *providerv1.EnrichRequest, a *providerv1.EnrichResponse) {
	if len(a.SubjectChecks) != len(q.Subjects) {
		c.note("checks", "%d subjects have %d checks", len(q.Subjects), len(a.SubjectChecks))
		return
	}
	for i, s := range q.Subjects {
		if want := crc32.Checksum([]byte(s.Phone+"\x00"+s.Email), castagnoli); a.SubjectChecks[i] != want {
			c.note("checks", "subject %d of %d has the check %08x, and is %08x", i+1, len(q.Subjects), a.SubjectChecks[i], want)
			return
		}
	}
}

// What the contract allows in a set of facts.
const (
	mostFacts     = 64
	mostFactName  = 64
	mostFactValue = 1 << 10
)

func (c *check) observeFacts(a *providerv1.EnrichResponse) {
	c.facts += len(a.FactSets)
	for _, set := range a.FactSets {
		if len(set.Facts) == 0 || len(set.Facts) > mostFacts {
			c.note("facts", "a set has %d facts, 1 to %d are allowed", len(set.Facts), mostFacts)
		}
		var names []string
		for _, f := range set.Facts {
			switch {
			case !factName(f.Name):
				c.note("facts", "the name of a fact is not snake case of at most %d bytes: %q", mostFactName, f.Name)
			case slices.Contains(names, f.Name):
				c.note("facts", "a set has %s twice", f.Name)
			case len(f.Value) > mostFactValue:
				c.note("facts", "the value of %s has %d bytes, %d are allowed", f.Name, len(f.Value), mostFactValue)
			case !utf8.ValidString(f.Value) || strings.ContainsFunc(f.Value, unicode.IsControl):
				c.note("facts", "the value of %s has a control character, or is no UTF-8", f.Name)
			}
			names = append(names, f.Name)
		}
	}
}

// observeNames looks whether a set holds facts of those that were announced.
func (c *check) observeNames(a *providerv1.EnrichResponse, set uint32, announced []string, what string) {
	if set == 0 {
		return
	}
	for _, f := range a.FactSets[set-1].Facts {
		if factName(f.Name) && !slices.Contains(announced, f.Name) {
			c.note("facts", "a fact about the %s is called %s, which Describe does not name", what, f.Name)
		}
	}
}

func factName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= mostFactName
}

// said is what an answer says of each subject, whatever the order of its sets.
func said(a *providerv1.EnrichResponse) []string {
	facts := func(n uint32) string {
		if n == 0 {
			return "-"
		}
		var all []string
		for _, f := range a.FactSets[n-1].Facts {
			all = append(all, fmt.Sprintf("%q=%q", f.Name, f.Value))
		}
		slices.Sort(all)
		return strings.Join(all, ",")
	}
	var all []string
	for i := range a.PhoneFacts {
		all = append(all, facts(a.PhoneFacts[i])+" "+facts(a.EmailFacts[i]))
	}
	return all
}

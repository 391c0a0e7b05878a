package providercheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/money"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// rule is one promise of the contract. Where run is nil, it is held against every answer that is seen.
type rule struct {
	name, demands string
	run           func(*check, context.Context) (seen string, err error)
}

// rules in the order of their results.
var rules = []rule{
	{"describe", "Describe names the provider, its price, its largest batch and its facts, the same each time", (*check).describe},
	{"credential", "calls without the credential, or with another one, are refused", (*check).credential},
	{"answers", "each batch is answered once, also with 20 of them in flight, and no other", (*check).inFlight},
	{"half-close", "a stream that the caller half-closes ends in order once all is answered", (*check).halfClose},
	{"lengths", "an answer has one entry for each subject", nil},
	{"indexes", "an entry is 0 or refers to a set of facts that is there, of which there are at most two for each subject", nil},
	{"facts", "facts have announced names, each once in a set, and short printable values", nil},
	{"checks", "the check of each subject is the CRC-32C of its phone, a zero byte and its email", nil},
	{"cost", "a batch costs no more than the price for each subject, and not less than nothing", nil},
	{"empty", "subjects without phone, without email or without both are answered; of what is empty nothing is known", (*check).empty},
	{"unknown", "what nobody can know is unknown", (*check).unknown},
	{"duplicates", "the same subject several times in a batch is answered alike", (*check).duplicates},
	{"long-id", "a batch id may have 128 printable ASCII characters", (*check).longID},
	{"no-subjects", "a batch without subjects is answered with nothing, or refused with INVALID_ARGUMENT", (*check).noSubjects},
	{"too-many", "a batch larger than the largest is refused with INVALID_ARGUMENT", (*check).tooMany},
	{"largest", "the largest batch of long values is answered in time, with at most 16 MiB", (*check).largest},
	{"repeat", "the same batch again on a stream has the same answer and cost", (*check).repeat},
	{"repeat-elsewhere", "the same batch again on another connection has the same answer and cost", (*check).repeatElsewhere},
	{"repeat-at-once", "the same batch on two connections at once has the same answer and cost on both", (*check).repeatAtOnce},
	{"id-reused", "a batch id that comes again with other subjects is refused with INVALID_ARGUMENT", (*check).idReused},
	{"cancel", "a caller that gives up does not disturb: others are answered, and so is that batch when it comes again", (*check).cancel},
	{"retry-after", "an answer that asks to come back later answers and charges nothing", nil},
}

// Rules is the name of every rule and what it demands.
func Rules() [][2]string {
	var all [][2]string
	for _, r := range rules {
		all = append(all, [2]string{r.name, r.demands})
	}
	return all
}

var (
	providerName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
)

func (c *check) describe(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	d, err := providerv1.NewProviderServiceClient(c.conn).Describe(ctx, &providerv1.DescribeRequest{})
	if err != nil {
		return "", err
	}
	c.d = d
	again, err := providerv1.NewProviderServiceClient(c.other).Describe(ctx, &providerv1.DescribeRequest{})
	if err != nil {
		return "", err
	}
	remembers := d.Remembers.AsDuration()
	costs := d.Currency != ""
	switch {
	case !providerName.MatchString(d.Name):
		c.note("describe", "the name %q is not 1 to 64 of a-z, 0-9 and hyphens", d.Name)
	case costs && !currencyCode.MatchString(d.Currency):
		c.note("describe", "the currency %q is no ISO 4217 code", d.Currency)
	case d.PriceMicros < 0 || d.PriceMicros > 0 && !costs:
		c.note("describe", "the price is %d millionths of the currency %q", d.PriceMicros, d.Currency)
	case d.MaxBatch < 0 || d.MaxBatch > mostBatch:
		c.note("describe", "the largest batch has %d subjects, 1 to %d are allowed", d.MaxBatch, mostBatch)
	case d.Remembers != nil && d.Remembers.CheckValid() != nil || remembers < 0 || costs && remembers < 7*24*time.Hour:
		c.note("describe", "batch ids are remembered for %s, 7 days are the least where anything costs", remembers)
	case !names(d.PhoneFacts) || !names(d.EmailFacts):
		c.note("describe", "the names of facts are not snake case of at most %d bytes, each once", mostFactName)
	case !proto.Equal(d, again):
		c.note("describe", "asked twice it describes two providers")
	}
	price := "for nothing"
	if costs {
		price = money.Text(d.PriceMicros, d.Currency) + " a subject at most"
	}
	return fmt.Sprintf("%s, %s, batches of %d, remembered for %.4g days", d.Name, price, c.most(), remembers.Hours()/24), nil
}

func names(all []string) bool {
	for i, s := range all {
		if !factName(s) || slices.Contains(all[:i], s) {
			return false
		}
	}
	return true
}

// credential calls without one and with a wrong one.
func (c *check) credential(ctx context.Context) (string, error) {
	if !c.o.Keyed {
		return "", skip("no key was given")
	}
	for with, what := range map[Credential]string{None: "without a key", Wrong: "with another key"} {
		conn, err := c.o.Dial(with)
		if err != nil {
			return "", err
		}
		_, err = c.once(ctx, conn, c.batch(people(0, 1)...))
		if err == nil {
			_ = conn.Close() // nothing is on its way
			return "", c.breach("credential", "a batch was answered %s", what)
		}
		if !errors.Is(err, fault.Unauthenticated) && !errors.Is(err, fault.Denied) {
			c.note("credential", "a call %s ended with %s", what, describeError(err))
		}
		if _, err = providerv1.NewProviderServiceClient(conn).Describe(ctx, &providerv1.DescribeRequest{}); !errors.Is(err, fault.Unauthenticated) && !errors.Is(err, fault.Denied) {
			c.note("credential", "Describe was not refused %s", what)
		}
		_ = conn.Close() // nothing is on its way
	}
	return "refused", nil
}

// inFlight sends 20 batches before it reads an answer.
func (c *check) inFlight(ctx context.Context) (string, error) {
	const many = 20
	limited, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	stream, err := providerv1.NewProviderServiceClient(c.conn).Enrich(limited)
	if err != nil {
		return "", err
	}
	asked := map[string]*providerv1.EnrichRequest{}
	subjects := people(0, many)
	if c.most() > 1 {
		subjects = append(subjects, c.o.Known[:min(many, len(c.o.Known))]...)
	}
	for i := range many {
		q := c.batch(subjects[i*len(subjects)/many : (i+1)*len(subjects)/many]...)
		asked[q.BatchId] = q
		if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
	}
	var late []*providerv1.EnrichRequest
	for n := range many {
		a, err := c.receive(stream)
		if err != nil {
			return "", fmt.Errorf("after %d of %d answers: %w", n, many, err)
		}
		q := asked[a.BatchId]
		if q == nil {
			return "", c.breach("answers", "a batch was answered twice, or was never asked")
		}
		delete(asked, a.BatchId)
		if a.RetryAfter != nil {
			c.postponed(q, a)
			late = append(late, q)
		} else if err := c.observe(q, a); err != nil {
			return "", err
		}
	}
	if err := c.finish(stream, cancel); err != nil {
		return "", err
	}
	for _, q := range late {
		if _, err := c.ask(ctx, c.conn, q); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d batches at once", many), nil
}

// halfClose half-closes before it reads anything: what was asked is answered all the same.
func (c *check) halfClose(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	stream, err := providerv1.NewProviderServiceClient(c.conn).Enrich(ctx)
	if err != nil {
		return "", err
	}
	asked := map[string]*providerv1.EnrichRequest{}
	for range 3 {
		q := c.batch(people(0, 1)...)
		asked[q.BatchId] = q
		if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return "", err
	}
	for len(asked) > 0 {
		a, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return "", c.breach("half-close", "the stream ended with %d batches unanswered", len(asked))
		}
		if errors.Is(err, fault.Deadline) {
			return "", c.breach(c.blame, "there was no answer in %s", c.o.Timeout)
		}
		if err != nil {
			return "", err
		}
		q := asked[a.BatchId]
		if q == nil {
			return "", c.breach("answers", "a batch was answered twice, or was never asked")
		}
		delete(asked, a.BatchId)
		if a.RetryAfter != nil {
			c.postponed(q, a)
		} else if err := c.observe(q, a); err != nil {
			return "", err
		}
	}
	return "3 batches, then the end", c.finish(stream, cancel)
}

func (c *check) empty(ctx context.Context) (string, error) {
	p := people(0, 1)[0]
	for _, s := range []*providerv1.Subject{{Phone: p.Phone}, {Email: p.Email}, {}} {
		if _, err := c.ask(ctx, c.conn, c.batch(s)); err != nil {
			return "", err
		}
	}
	return "answered", nil
}

func (c *check) unknown(ctx context.Context) (string, error) {
	a, err := c.ask(ctx, c.conn, c.batch(&providerv1.Subject{Phone: "+999123456789", Email: "nobody@" + c.run + ".example.invalid"}))
	if err != nil {
		return "", err
	}
	if a.PhoneFacts[0] != 0 || a.EmailFacts[0] != 0 {
		return "", c.breach("unknown", "it knows something of a number of no country, or of a domain that cannot be")
	}
	return "a number of no country and a domain that cannot be", nil
}

func (c *check) duplicates(ctx context.Context) (string, error) {
	p := c.few()
	p = p[:min(len(p), c.most()/3)]
	var subjects []*providerv1.Subject
	for range 3 {
		subjects = append(subjects, p...)
	}
	if len(subjects) == 0 {
		return "", skip("its batches are too small")
	}
	a, err := c.ask(ctx, c.conn, c.batch(subjects...))
	if err != nil {
		return "", err
	}
	all := said(a)
	for i := range p {
		if all[i] != all[i+len(p)] || all[i] != all[i+2*len(p)] {
			return "", c.breach("duplicates", "subject %d has other facts where it comes again", i+1)
		}
	}
	return "alike", nil
}

func (c *check) longID(ctx context.Context) (string, error) {
	q := c.batch(people(0, 1)...)
	var printable strings.Builder
	for b := byte(' '); b <= '~'; b++ {
		printable.WriteByte(b)
	}
	q.BatchId += printable.String()
	q.BatchId += strings.Repeat("x", mostID-len(q.BatchId))
	_, err := c.ask(ctx, c.conn, q)
	return "answered", err
}

func (c *check) noSubjects(ctx context.Context) (string, error) {
	_, err := c.ask(ctx, c.conn, c.batch())
	if errors.Is(err, fault.Invalid) {
		return "refused", nil
	}
	return "answered", err
}

func (c *check) tooMany(ctx context.Context) (string, error) {
	n := c.most() + 1
	_, err := c.once(ctx, c.conn, c.batch(people(0, n)...))
	if errors.Is(err, fault.Invalid) {
		return fmt.Sprintf("%d refused", n), nil
	}
	if err != nil {
		return "", err
	}
	return "", c.breach("too-many", "%d subjects were answered, its batches have %d at most", n, n-1)
}

// largest asks as much as a message may hold.
func (c *check) largest(ctx context.Context) (string, error) {
	n := c.most()
	if cost := c.d.PriceMicros * int64(n); c.o.Budget > 0 && cost > c.o.Budget {
		return "", skip(fmt.Sprintf("it might cost %s, more than may be spent", money.Text(cost, c.d.Currency)))
	}
	subjects := people(0, n)
	for i, s := range subjects {
		s.Phone = fmt.Sprintf("+99%013d", i)                                                                 // as long as numbers get
		s.Email = fmt.Sprintf("check%d@%sexample.com", i, strings.Repeat(strings.Repeat("long", 15)+".", 3)) // 254 characters are the most
	}
	if c.breaches["answers"] == "" { // it answers others in time
		c.blame = "largest"
		defer func() { c.blame = "answers" }()
	}
	begun := time.Now()
	_, err := c.ask(ctx, c.conn, c.batch(subjects...))
	if errors.Is(err, fault.Exhausted) {
		return "", c.breach("largest", "the answer to %d subjects is too large, or the quota too small: %v", n, err)
	}
	return fmt.Sprintf("%d subjects in %s", n, time.Since(begun).Round(time.Millisecond)), err
}

// cancel gives up a stream with batches on their way.
func (c *check) cancel(ctx context.Context) (string, error) {
	given, giveUp := context.WithTimeout(ctx, c.o.Timeout)
	defer giveUp()
	stream, err := providerv1.NewProviderServiceClient(c.conn).Enrich(given)
	if err != nil {
		return "", err
	}
	q := c.batch(people(0, 1)...)
	if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	a, err := c.receive(stream) // so the provider is at work on the stream
	if err != nil {
		return "", err
	}
	if a.BatchId != q.BatchId {
		return "", c.breach("answers", "one batch was asked, and another one answered")
	}
	if a.RetryAfter != nil {
		c.postponed(q, a)
	} else if err := c.observe(q, a); err != nil {
		return "", err
	}
	q = c.batch(c.few()...)
	if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	giveUp()
	for err == nil {
		_, err = stream.Recv() // it may have been answered before
	}
	if _, err := c.ask(ctx, c.conn, c.batch(people(2, 1)...)); err != nil {
		return "", err
	}
	_, err = c.ask(ctx, c.conn, q)
	return "others were answered, and the batch too when it came again", err
}

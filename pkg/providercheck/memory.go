package providercheck

import (
	"context"
	"errors"
	"io"
	"slices"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// remembered skips rules about providers that need not remember.
func (c *check) remembered() error {
	if c.d.Remembers.AsDuration() == 0 {
		return skip("it remembers no batches, and costs nothing")
	}
	return nil
}

// alike compares two answers to the same batch.
func (c *check) alike(rule string, a, b *providerv1.EnrichResponse) (string, error) {
	switch {
	case a.CostMicros != b.CostMicros:
		return "", c.breach(rule, "it cost %d millionths, and then %d", a.CostMicros, b.CostMicros)
	case !slices.Equal(said(a), said(b)):
		return "", c.breach(rule, "its facts are others than before")
	}
	return "the same answer and cost; what it charged only it knows", nil
}

// repeat asks twice on one stream.
func (c *check) repeat(ctx context.Context) (string, error) {
	if err := c.remembered(); err != nil {
		return "", err
	}
	q := c.batch(c.few()...)
	first, err := c.ask(ctx, c.conn, q)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	stream, err := providerv1.NewProviderServiceClient(c.conn).Enrich(ctx)
	if err != nil {
		return "", err
	}
	seen := ""
	for range 2 {
		if err := stream.Send(q); err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		a, err := c.receive(stream)
		if err != nil {
			return "", err
		}
		if a.BatchId != q.BatchId {
			return "", c.breach("answers", "one batch was asked, and another one answered")
		}
		if err := c.observe(q, a); err != nil {
			return "", err
		}
		if seen, err = c.alike("repeat", first, a); err != nil {
			return "", err
		}
	}
	return seen, c.finish(stream, cancel)
}

func (c *check) repeatElsewhere(ctx context.Context) (string, error) {
	if err := c.remembered(); err != nil {
		return "", err
	}
	q := c.batch(c.few()...)
	first, err := c.ask(ctx, c.conn, q)
	if err != nil {
		return "", err
	}
	again, err := c.ask(ctx, c.other, q)
	if err != nil {
		return "", err
	}
	return c.alike("repeat-elsewhere", first, again)
}

// repeatAtOnce is what happens when a caller takes over from one that it holds for dead.
func (c *check) repeatAtOnce(ctx context.Context) (string, error) {
	if err := c.remembered(); err != nil {
		return "", err
	}
	seen := ""
	for range 5 {
		q := c.batch(c.few()...)
		type reply struct {
			a   *providerv1.EnrichResponse
			err error
		}
		replies := make(chan reply, 2)
		c.together(func(conn *grpc.ClientConn, one *check) {
			a, err := one.ask(ctx, conn, q)
			replies <- reply{a, err}
		})
		first, second := <-replies, <-replies
		if err := errors.Join(first.err, second.err); err != nil {
			return "", err
		}
		var err error
		if seen, err = c.alike("repeat-at-once", first.a, second.a); err != nil {
			return "", err
		}
	}
	return seen, nil
}

// together runs f on both connections at once, each with notes of its own, which are put together afterwards.
func (c *check) together(f func(*grpc.ClientConn, *check)) {
	mine := &check{o: c.o, d: c.d, blame: c.blame, endless: c.endless, breaches: map[string]string{}, charged: map[string]int64{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(c.other, mine)
	}()
	f(c.conn, c)
	<-done
	for rule, text := range mine.breaches {
		c.note(rule, "%s", text)
	}
	c.answers, c.facts, c.busy, c.endless = c.answers+mine.answers, c.facts+mine.facts, c.busy+mine.busy, c.endless || mine.endless
	for id, cost := range mine.charged {
		c.charged[id] = max(cost, c.charged[id])
	}
}

// idReused sends other subjects, and the same ones in another order, on another connection.
func (c *check) idReused(ctx context.Context) (string, error) {
	if err := c.remembered(); err != nil {
		return "", err
	}
	n := min(2, c.most())
	q := c.batch(people(0, n)...)
	if _, err := c.ask(ctx, c.conn, q); err != nil {
		return "", err
	}
	others := map[string][]*providerv1.Subject{"other subjects": people(50, n)}
	if n > 1 {
		others["one subject less"], others["its subjects in another order"] = people(0, 1), []*providerv1.Subject{q.Subjects[1], q.Subjects[0]}
	}
	for what, subjects := range others {
		_, err := c.once(ctx, c.other, &providerv1.EnrichRequest{BatchId: q.BatchId, Subjects: subjects})
		if err == nil {
			return "", c.breach("id-reused", "a batch id was answered that came again with %s", what)
		}
		if !errors.Is(err, fault.Invalid) {
			return "", err
		}
	}
	return "refused", nil
}

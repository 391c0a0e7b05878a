// Package providercheck holds a provider of enrichment to the published contract, rule by rule, as its callers would: over gRPC and
// with nothing but what the contract says. `contactmill provider check` is this package, and docs/providers.md tells the rules.
//
// It asks about numbers and addresses that are set apart for examples, and a few that the caller names. A provider that costs
// something charges for it; [Report] says how much. Batch ids are new in every run.
package providercheck

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

const (
	usualTimeout = time.Minute            // for an answer, as callers give themselves
	grace        = 10 * time.Second       // for the end of a stream that was half-closed
	attempts     = 6                      // at a batch while the provider is away or busy
	firstWait    = 200 * time.Millisecond // between them; doubled
	longestWait  = 10 * time.Second
	mostBatch    = 10_000 // that the contract allows
	mostID       = 128
	mostAnswer   = 16 << 20 // bytes
)

// Verdict on a rule.
type Verdict string

// The verdicts. A rule is skipped where it demands nothing of this provider, or could not be told because another is broken.
const (
	Passed  Verdict = "passed"
	Failed  Verdict = "failed"
	Skipped Verdict = "skipped"
)

// Result of one rule.
type Result struct {
	Rule    string  `json:"rule"`
	Demands string  `json:"demands"` // what the rule demands
	Verdict Verdict `json:"verdict"`
	Seen    string  `json:"seen"` // what was seen, or why it was skipped
}

// Report is what came out: a result for every rule, in their order.
type Report struct {
	Provider      string   `json:"provider"` // name, if it said one
	Currency      string   `json:"currency,omitempty"`
	ChargedMicros int64    `json:"charged_micros"` // for the batches of this run, each once
	Results       []Result `json:"results"`
}

// Passed tells whether no rule is broken.
func (r *Report) Passed() bool {
	for _, one := range r.Results {
		if one.Verdict == Failed {
			return false
		}
	}
	return true
}

// Options of Run.
type Options struct {
	// Dial makes a connection of its own: with the credential that callers show, or with another one (a wrong key, or none where
	// key is empty).
	Dial func(c Credential) (*grpc.ClientConn, error)
	// Keyed: the provider wants a credential, so that calls without it have to be refused.
	Keyed bool
	// Timeout for an answer; 0 is a minute.
	Timeout time.Duration
	// Budget is how much the largest batch may cost at most, in millionths; it is not sent where it would cost more. 0: any.
	Budget int64
	// Known are subjects that the provider should know something of. Without them its facts may never be seen.
	Known []*providerv1.Subject
}

// Credential is how a connection shows itself.
type Credential int

// The credentials.
const (
	Right Credential = iota
	Wrong
	None
)

// Run checks a provider. Its error is only that a connection could not be made; what the provider does wrong is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Timeout == 0 {
		o.Timeout = usualTimeout
	}
	c := &check{o: o, blame: "answers", breaches: map[string]string{}, charged: map[string]int64{}}
	var b [6]byte
	rand.Read(b[:]) // never fails
	c.run = hex.EncodeToString(b[:])
	for _, conn := range []**grpc.ClientConn{&c.conn, &c.other} {
		var err error
		if *conn, err = o.Dial(Right); err != nil {
			return nil, err
		}
		defer (*conn).Close()
	}
	r := &Report{}
	described := false
	seen := map[string]string{}
	failed := map[string]error{}
	for _, rule := range rules {
		switch {
		case rule.run == nil:
		case rule.name != "describe" && !described:
			failed[rule.name] = skip("nothing can be told without Describe")
		default:
			seen[rule.name], failed[rule.name] = rule.run(c, ctx)
			if err := failed[rule.name]; errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Exhausted) { // once more
				seen[rule.name], failed[rule.name] = rule.run(c, ctx)
			}
			described = described || c.d != nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	for _, rule := range rules {
		r.Results = append(r.Results, c.result(rule, seen[rule.name], failed[rule.name]))
	}
	if c.d != nil {
		r.Provider, r.Currency = c.d.Name, c.d.Currency
	}
	for _, cost := range c.charged {
		r.ChargedMicros += cost
	}
	return r, nil
}

// check is one run.
type check struct {
	o           Options
	conn, other *grpc.ClientConn
	run         string // begins every batch id
	batches     int
	d           *providerv1.DescribeResponse // nil until it answered

	breaches map[string]string // rule to what was seen first
	charged  map[string]int64  // by batch
	answers  int               // that were looked at
	facts    int               // sets of them
	busy     int               // answers that asked to come back
	blame    string            // the rule that is broken where no answer comes in time
	endless  bool              // streams do not end when they are half-closed
}

// note keeps what was seen first of a rule that is broken.
func (c *check) note(rule, format string, args ...any) {
	if _, ok := c.breaches[rule]; !ok {
		c.breaches[rule] = fmt.Sprintf(format, args...)
	}
}

// breach notes that a rule is broken, and stops who is at it.
func (c *check) breach(rule, format string, args ...any) error {
	c.note(rule, format, args...)
	return broken{rule}
}

// broken stops a rule that cannot be told since another one, or itself, is broken.
type broken struct{ rule string }

func (b broken) Error() string { return "rule " + b.rule + " is broken" }

// skip stops a rule that does not hold here.
type skip string

func (s skip) Error() string { return string(s) }

func (c *check) result(r rule, seen string, err error) Result {
	one := Result{Rule: r.name, Demands: r.demands, Verdict: Passed, Seen: seen}
	text, breached := c.breaches[r.name]
	var b broken
	var s skip
	switch {
	case breached:
		one.Verdict, one.Seen = Failed, text
	case r.run == nil && c.answers == 0:
		one.Verdict, one.Seen = Skipped, "nothing was answered"
	case r.name == "retry-after" && c.busy == 0:
		one.Verdict, one.Seen = Skipped, "it was never busy"
	case r.name == "facts" && c.facts == 0:
		one.Verdict, one.Seen = Skipped, "it knew nothing of anybody; name somebody whom it knows"
	case r.run == nil:
		one.Seen = fmt.Sprintf("%d answers", c.answers)
	case errors.As(err, &b):
		one.Verdict, one.Seen = Skipped, "could not be told, as "+b.rule+" is broken"
	case errors.As(err, &s):
		one.Verdict, one.Seen = Skipped, string(s)
	case err != nil:
		one.Verdict, one.Seen = Failed, describeError(err)
	}
	return one
}

// describeError says how a call ended, in gRPC's words.
func describeError(err error) string {
	return fmt.Sprintf("%s: %v", fault.ToStatus(err).Code(), err)
}

// id makes a batch id that was never used.
func (c *check) id() string {
	c.batches++
	return fmt.Sprintf("check-%s-%d", c.run, c.batches)
}

// batch makes a question about so many subjects, of whom each is another.
func (c *check) batch(subjects ...*providerv1.Subject) *providerv1.EnrichRequest {
	return &providerv1.EnrichRequest{BatchId: c.id(), Subjects: subjects}
}

// few are some subjects, the known ones among them, as many as a batch may have.
func (c *check) few() []*providerv1.Subject {
	all := append(people(0, 2), c.o.Known...)
	return all[:min(len(all), c.most())]
}

// most is how many subjects a batch may have.
func (c *check) most() int {
	if m := int(c.d.MaxBatch); m > 0 && m <= mostBatch {
		return m
	}
	return mostBatch
}

package bus_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

func TestEnsureStreamsIsIdempotent(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	errs := make(chan error, 8)
	for range cap(errs) {
		b := s.connect(t)
		go func() { errs <- b.EnsureStreams(t.Context()) }()
	}
	for range cap(errs) {
		if err := receive(t, errs, "EnsureStreams"); err != nil {
			t.Errorf("EnsureStreams, eight at once: %v", err)
		}
	}
	st, err := s.js.Stream(t.Context(), s.opts.JobsStream())
	if err != nil {
		t.Fatal(err)
	}
	c := st.CachedInfo().Config
	if c.Retention != jetstream.WorkQueuePolicy || c.Storage != jetstream.FileStorage || c.Discard != jetstream.DiscardNew || c.MaxMsgs != event.MaxRings {
		t.Errorf("JOBS is %+v", c)
	}
	for _, stage := range event.Stages() {
		c := s.consumerInfo(t, stage).Config
		if c.AckPolicy != jetstream.AckExplicitPolicy || c.MaxDeliver != -1 || c.AckWait != event.DefaultLease || len(c.BackOff) != 0 {
			t.Errorf("consumer %s is %+v", stage, c)
		}
	}
}

func TestEnsureStreamsMendsSettings(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	b := s.open(t)
	jobs, err := s.js.Stream(t.Context(), s.opts.JobsStream())
	if err != nil {
		t.Fatal(err)
	}
	bent := jobs.CachedInfo().Config
	bent.Discard, bent.MaxMsgs, bent.MaxMsgsPerSubject, bent.Subjects = jetstream.DiscardOld, 5, 3, append(slices.Clone(bent.Subjects), "x"+s.opts.AllJobs())
	if _, err := s.js.UpdateStream(t.Context(), bent); err != nil {
		t.Fatal(err)
	}
	worn := s.consumerInfo(t, event.Merge).Config
	worn.MaxDeliver, worn.BackOff = 3, []time.Duration{time.Second, 2 * time.Second}
	if _, err := s.js.UpdateConsumer(t.Context(), s.opts.JobsStream(), worn); err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatalf("EnsureStreams on settings that can be mended: %v", err)
	}
	if jobs, err = s.js.Stream(t.Context(), s.opts.JobsStream()); err != nil {
		t.Fatal(err)
	}
	if c := jobs.CachedInfo().Config; c.Discard != jetstream.DiscardNew || c.MaxMsgs != event.MaxRings || c.MaxMsgsPerSubject != -1 || len(c.Subjects) != 1 {
		t.Errorf("JOBS is still %+v", c)
	}
	if c := s.consumerInfo(t, event.Merge).Config; c.MaxDeliver != -1 || len(c.BackOff) != 0 || c.AckWait != event.DefaultLease {
		t.Errorf("consumer merge is still %+v", c)
	}
}

func TestEnsureStreamsRefusesToRunOnOthers(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(context.Context, *system) error{
		"interest retention": func(ctx context.Context, s *system) error {
			_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: s.opts.JobsStream(), Subjects: []string{s.opts.AllJobs()}, Retention: jetstream.InterestPolicy})
			return err
		},
		"memory": func(ctx context.Context, s *system) error {
			_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
				Name: s.opts.JobsStream(), Subjects: []string{s.opts.AllJobs()}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.MemoryStorage,
			})
			return err
		},
		"foreign stream on our subjects": func(ctx context.Context, s *system) error {
			_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: s.opts.EventsStream(), Subjects: []string{s.opts.AllJobs()}})
			return err
		},
		"foreign consumer on our work": func(ctx context.Context, s *system) error {
			if _, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
				Name: s.opts.JobsStream(), Subjects: []string{s.opts.AllJobs()}, Retention: jetstream.WorkQueuePolicy,
			}); err != nil {
				return err
			}
			_, err := s.js.CreateConsumer(ctx, s.opts.JobsStream(), jetstream.ConsumerConfig{Durable: "thief", AckPolicy: jetstream.AckExplicitPolicy})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			if err := make(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			err := s.connect(t).EnsureStreams(t.Context())
			if !errors.Is(err, fault.Precondition) {
				t.Fatalf("EnsureStreams: %v, want Precondition", err)
			}
			t.Log(err)
		})
	}
}

func TestConsumeEndsOnSettingsThatCannotBeMended(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	b := s.connect(t)
	if _, err := s.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: s.opts.JobsStream(), Subjects: []string{s.opts.AllJobs()}}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Consume(t.Context(), event.Match, 3, nil) }()
	if err := receive(t, done, "end of Consume"); !errors.Is(err, fault.Precondition) {
		t.Errorf("Consume: %v, want Precondition", err)
	}
}

func envelope(account uuid.UUID, number int64) event.Envelope {
	return event.Envelope{Account: account, Number: number, Type: event.JobReady, Job: uuid.Must(uuid.NewV7()), JobNumber: 1, Time: time.Unix(1, 0)}
}

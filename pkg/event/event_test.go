package event_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/event"
)

var (
	account = uuid.MustParse("0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a39")
	job     = uuid.MustParse("0190a5c0-8d2c-7c4f-8b5e-4a1f7d6c5b4a")
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"JOBS", "EVENTS", "match", "jobs.match", "jobs.*", "events.agiklqd4dn5t5gsnh4hgyw2khe", "events.*", "progress.agiklqd4dn5t5gsnh4hgyw2khe"}},
		{"t1", []string{
			"t1_JOBS", "t1_EVENTS", "t1_match", "t1_jobs.match", "t1_jobs.*", "t1_events.agiklqd4dn5t5gsnh4hgyw2khe", "t1_events.*",
			"t1_progress.agiklqd4dn5t5gsnh4hgyw2khe",
		}},
	} {
		c := event.Config{Prefix: tc.prefix}
		got := []string{
			c.JobsStream(), c.EventsStream(), c.Consumer(event.Match), c.JobsSubject(event.Match), c.AllJobs(), c.EventsSubject(account), c.AllEvents(),
			c.ProgressSubject(account),
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("names with prefix %q (-want +got):\n%s", tc.prefix, diff)
		}
	}
}

func TestConfigChecked(t *testing.T) {
	t.Parallel()
	got, err := event.Config{}.Checked()
	if want := (event.Config{Lease: 30 * time.Second, Replicas: 1}); err != nil || got != want {
		t.Errorf("defaults are %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []event.Config{{Prefix: "a.b"}, {Prefix: "A"}, {Prefix: "a>"}, {Prefix: strings.Repeat("a", 33)}, {Lease: -1}, {Replicas: 6}, {Replicas: -1}} {
		if _, err := bad.Checked(); err == nil {
			t.Errorf("config %+v passes, want an error", bad)
		}
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	for _, s := range event.Stages() {
		want := event.Ring{Account: account, Job: job, Stage: s}
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.DecodeRing(b)
		if err != nil || got != want {
			t.Errorf("ring %s comes back as %+v, %v, want %+v", b, got, err, want)
		}
	}
}

func TestRingTolerance(t *testing.T) {
	t.Parallel()
	newer := `{"v":1,"account":"` + account.String() + `","job":"` + job.String() + `","stage":"merge","later":{}}`
	if _, err := event.DecodeRing([]byte(newer)); err != nil {
		t.Errorf("ring with a field of a newer release: %v, want it passed over", err)
	}
	for _, bad := range []string{
		``, `{}`, `null`, `[]`, `{"v":1}`, newer + newer, strings.Replace(newer, `"v":1`, `"v":2`, 1), strings.Replace(newer, "merge", "smelt", 1),
		strings.Replace(newer, job.String(), uuid.Nil.String(), 1), strings.Replace(newer, account.String(), "x", 1), "\x00\xff",
	} {
		if r, err := event.DecodeRing([]byte(bad)); err == nil {
			t.Errorf("ring %q is read as %+v, want an error", bad, r)
		}
	}
	for _, bad := range []event.Ring{{}, {Account: account, Job: job}, {Account: account, Stage: event.Match}, {Job: job, Stage: event.Match}} {
		if b, err := bad.Encode(); err == nil {
			t.Errorf("ring %+v is written as %s, want an error", bad, b)
		}
	}
}

func FuzzDecodeRing(f *testing.F) {
	b, err := event.Ring{Account: account, Job: job, Stage: event.Notify}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := event.DecodeRing(b)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("ring %+v was read but cannot be written: %v", r, err)
		}
		if r2, err := event.DecodeRing(again); err != nil || r2 != r {
			t.Fatalf("ring %+v comes back as %+v, %v", r, r2, err)
		}
	})
}

func TestEnvelopeWire(t *testing.T) {
	t.Parallel()
	e := event.Envelope{
		Account: account, Number: 1 << 40, Type: event.JobCompleted, Job: job, JobNumber: 7,
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Data: json.RawMessage(`{"rows": 3}`),
	}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	wire := `{"specversion":"1.0","id":"0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a39/1099511627776","source":"contactmill/ingest","type":"contactmill.job.completed.v1",
		"subject":"0190a5c0-8d2c-7c4f-8b5e-4a1f7d6c5b4a","time":"2026-01-02T03:04:05.000006Z","datacontenttype":"application/json","data":{"rows":3},
		"number":"1099511627776","jobnumber":"7"}`
	if err := json.Unmarshal([]byte(wire), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CloudEvent (-want +got):\n%s", diff)
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := event.Envelope{
			Account: account,
			Number:  rapid.Int64Range(1, math.MaxInt64).Draw(t, "number"),
			Type:    rapid.SampledFrom(event.Types()).Draw(t, "type"),
			Time:    time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC(),
		}
		if rapid.Bool().Draw(t, "of a job") {
			want.Job, want.JobNumber = job, rapid.Int64Range(1, math.MaxInt64).Draw(t, "job number")
		}
		if rapid.Bool().Draw(t, "data") {
			m := rapid.MapOf(rapid.String(), rapid.Int64()).Draw(t, "counts")
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			want.Data = b
		}
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.DecodeEnvelope(b)
		if err != nil {
			t.Fatalf("decode %s: %v", b, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("envelope (-want +got):\n%s", diff)
		}
		a, n, err := event.ParseID(want.ID())
		if err != nil || a != want.Account || n != want.Number {
			t.Fatalf("id %s is read as %s, %d, %v", want.ID(), a, n, err)
		}
	})
}

func TestEnvelopeRefuses(t *testing.T) {
	t.Parallel()
	good := event.Envelope{Account: account, Number: 1, Type: event.JobReady, Job: job, JobNumber: 1, Time: time.Unix(1, 0)}
	for name, spoil := range map[string]func(*event.Envelope){
		"no account":           func(e *event.Envelope) { e.Account = uuid.Nil },
		"number 0":             func(e *event.Envelope) { e.Number = 0 },
		"unknown type":         func(e *event.Envelope) { e.Type = "job.melted" },
		"job without number":   func(e *event.Envelope) { e.JobNumber = 0 },
		"number without job":   func(e *event.Envelope) { e.Job = uuid.Nil },
		"no time":              func(e *event.Envelope) { e.Time = time.Time{} },
		"data that is no JSON": func(e *event.Envelope) { e.Data = json.RawMessage(`{`) },
	} {
		e := good
		spoil(&e)
		if b, err := e.Encode(); err == nil {
			t.Errorf("%s is written as %s, want an error", name, b)
		}
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	for _, data := range []string{"", `{"rows":1}`, `null`, `"x"`} {
		e := event.Envelope{Account: account, Number: 1, Type: event.JobReady, Job: job, JobNumber: 1, Time: time.Unix(1, 0)}
		if data != "" {
			e.Data = json.RawMessage(data)
		}
		b, err := e.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := event.DecodeEnvelope(b)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatalf("envelope %+v was read but cannot be written: %v", e, err)
		}
		e2, err := event.DecodeEnvelope(again)
		if err != nil || e2.ID() != e.ID() || e2.Type != e.Type || e2.Job != e.Job || e2.JobNumber != e.JobNumber || !e2.Time.Equal(e.Time) {
			t.Fatalf("envelope %+v comes back as %+v, %v", e, e2, err)
		}
	})
}

func TestProgress(t *testing.T) {
	t.Parallel()
	left := int64(12)
	for _, want := range []event.Progress{
		{Account: account, Job: job, JobNumber: 3, Stage: event.Merge, Done: 5, Total: 10, RatePerSecond: 0.5, SecondsLeft: &left, At: time.Unix(9, 0).UTC()},
		{Account: account, Job: job, Stage: event.Validate, At: time.Unix(9, 0).UTC()},
	} {
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.DecodeProgress(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	}
	nan := event.Progress{Account: account, Job: job, Stage: event.Merge, RatePerSecond: math.NaN()}
	if b, err := nan.Encode(); err == nil {
		t.Errorf("progress with rate NaN is written as %s, want an error", b)
	}
	for _, bad := range []string{``, `{}`, `{"v":2}`, `{"v":1}`} {
		if p, err := event.DecodeProgress([]byte(bad)); err == nil {
			t.Errorf("progress %q is read as %+v, want an error", bad, p)
		}
	}
}

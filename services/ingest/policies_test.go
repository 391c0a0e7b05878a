package ingest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

type rules = map[string]accountsv1.FieldRule

const (
	always  = accountsv1.FieldRule_FIELD_RULE_ALWAYS
	ifEmpty = accountsv1.FieldRule_FIELD_RULE_IF_EMPTY
	never   = accountsv1.FieldRule_FIELD_RULE_NEVER
	newest  = accountsv1.FieldRule_FIELD_RULE_NEWEST
)

// handIn uploads a file with policies.
func (c *client) handIn(request string, p *accountsv1.Policies, asOf *timestamppb.Timestamp) (*ingestv1.UploadResponse, error) {
	content := []byte("email\na@example.com\n")
	h := header(request, content)
	h.Settings.Policies, h.Settings.AsOf = p, asOf
	return c.upload(c.t.Context(), h, content)
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policies.Store(&accountsv1.Policies{Rules: rules{"city": ifEmpty, "glove_size": never}, HandMade: accountsv1.HandMade_HAND_MADE_KEEP, Keys: []string{"phone"}})
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	asOf := timestamppb.New(time.Date(2026, 3, 1, 14, 5, 0, 999, time.UTC))
	said := &accountsv1.Policies{Rules: rules{"city": newest, "colour": never, "email": 0}, Keys: []string{"phone", "email", "phone"}}
	resp, err := c.handIn("one", said, asOf)
	if err != nil {
		t.Fatal(err)
	}
	job := resp.GetJob()
	want := &accountsv1.Policies{Rules: rules{"city": newest, "glove_size": never, "colour": never}, HandMade: accountsv1.HandMade_HAND_MADE_KEEP, Keys: []string{"email", "phone"}}
	if d := cmp.Diff(want, job.GetPolicies(), protocmp.Transform()); d != "" {
		t.Errorf("policies of the job (-want +got):\n%s", d)
	}
	wantSaid := &accountsv1.Policies{Rules: rules{"city": newest, "colour": never}, Keys: []string{"email", "phone"}}
	if d := cmp.Diff(wantSaid, job.GetSettings().GetPolicies(), protocmp.Transform()); d != "" || job.GetSettings().GetAsOf().AsTime() != asOf.AsTime().Truncate(time.Second) {
		t.Errorf("policies that were asked for, as of %s (-want +got):\n%s", job.GetSettings().GetAsOf().AsTime(), d)
	}

	w.policies.Store(nil) // what the account settles afterwards is not for this job
	again, err := c.handIn("one", &accountsv1.Policies{Rules: rules{"colour": never, "city": newest}, Keys: []string{"email", "phone"}}, asOf)
	if err != nil || again.GetJob().GetId() != job.GetId() {
		t.Errorf("the same request in other words: %v, %v", again, err)
	}
	_, err = c.handIn("one", said, nil)
	wanted(t, "the same request without as-of", err, fault.Exists, "request-id-reused")
	claim, err := wk.service.Claim(wk.ctx(), &ingestv1.ClaimRequest{JobId: job.GetId(), Stage: string(event.Validate), Instance: "worker-" + wk.life, Incarnation: wk.life})
	if err != nil || !claim.GetGranted() {
		t.Fatalf("claim: %v, %v", claim, err)
	}
	if d := cmp.Diff(want, claim.GetWork().GetJob().GetPolicies(), protocmp.Transform()); d != "" {
		t.Errorf("policies of the work (-want +got):\n%s", d)
	}
	plain, err := c.handIn("two", nil, nil)
	if err != nil || plain.GetJob().GetPolicies() != nil || plain.GetJob().GetSettings().GetAsOf() != nil {
		t.Errorf("job without policies: %v, %v", plain, err)
	}
}

func TestPoliciesThatCannotBeFollowedAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	for name, bad := range map[string]struct {
		p    *accountsv1.Policies
		at   *timestamppb.Timestamp
		code string
	}{
		"field":      {&accountsv1.Policies{Rules: rules{"shoe_size": never}}, nil, "unknown-field"},
		"contact id": {&accountsv1.Policies{Rules: rules{"contact_id": never}}, nil, "unknown-field"},
		"changed at": {&accountsv1.Policies{Rules: rules{"changed_at": never}}, nil, "unknown-field"},
		"rule":       {&accountsv1.Policies{Rules: rules{"city": 9}}, nil, "bad-policy"},
		"hand-made":  {&accountsv1.Policies{HandMade: 9}, nil, "bad-policy"},
		"key":        {&accountsv1.Policies{Keys: []string{"city"}}, nil, "unknown-key"},
		"no unique":  {&accountsv1.Policies{Keys: []string{"glove_size"}}, nil, "unknown-key"},
		"long ago":   {nil, timestamppb.New(time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)), "as-of-invalid"},
		"to come":    {nil, timestamppb.New(time.Now().Add(48 * time.Hour)), "as-of-invalid"},
		"no time":    {nil, &timestamppb.Timestamp{Nanos: -1}, "as-of-invalid"},
	} {
		_, err := c.handIn(name, bad.p, bad.at)
		wanted(t, name, err, fault.Invalid, bad.code)
	}
	if _, err := c.handIn("all", &accountsv1.Policies{Rules: rules{"*": always, "glove_size": newest}}, timestamppb.Now()); err != nil {
		t.Errorf("policies of all fields: %v", err)
	}
}

// An account whose rules name a field that it does not list is in the middle of a change.
func TestPoliciesOfAnotherMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	w.policies.Store(&accountsv1.Policies{Rules: rules{"just_deleted": never}})
	_, err := c.handIn("one", nil, nil)
	wanted(t, "upload", err, fault.Unavailable, "account-settings")
}

// A retry goes by the fields of its own acceptance: one whose rules name a field that was deleted since is refused, unless it
// was granted before.
func TestARetryWithARuleOfADeletedField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.replica().client(uuid.New())
	resp, err := c.handIn("one", &accountsv1.Policies{Rules: rules{"glove_size": never}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.jobs.CancelJob(t.Context(), &ingestv1.CancelJobRequest{Job: "1"}); err != nil {
		t.Fatal(err)
	}
	again := &ingestv1.RetryJobRequest{Job: resp.GetJob().GetId(), RequestId: "again"}
	first, err := c.jobs.RetryJob(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	w.gone.Store(true)
	if same, err := c.jobs.RetryJob(t.Context(), again); err != nil || same.GetJob().GetId() != first.GetJob().GetId() {
		t.Errorf("the same retry after the field was deleted: %v, %v", same, err)
	}
	_, err = c.jobs.RetryJob(t.Context(), &ingestv1.RetryJobRequest{Job: "1", RequestId: "another"})
	wanted(t, "another retry", err, fault.Invalid, "unknown-field")
}

// What becomes of bad cells and unknown contacts is the job's to say, and frozen; an account that says nothing does as ever.
func TestBadCellsAndUnknownContacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	content := []byte("email\na@example.com\n")
	handIn := func(request string, cell accountsv1.BadCell, unknown accountsv1.UnknownToProvider) (*ingestv1.UploadResponse, error) {
		h := header(request, content)
		h.Settings.BadCell, h.Settings.UnknownToProvider = cell, unknown
		return c.upload(t.Context(), h, content)
	}
	drop, keepOut := accountsv1.BadCell_BAD_CELL_DROP_CELL, accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT
	resp, err := handIn("one", drop, keepOut)
	if err != nil {
		t.Fatal(err)
	}
	job := resp.GetJob()
	if s := job.GetSettings(); job.GetBadCell() != drop || job.GetUnknownToProvider() != keepOut || s.GetBadCell() != drop || s.GetUnknownToProvider() != keepOut {
		t.Errorf("job is %v", job)
	}
	if again, err := handIn("one", drop, keepOut); err != nil || again.GetJob().GetId() != job.GetId() {
		t.Errorf("the same request: %v, %v", again, err)
	}
	_, err = handIn("one", 0, keepOut)
	wanted(t, "the same request without a word on cells", err, fault.Exists, "request-id-reused")
	_, err = handIn("one", drop, 0)
	wanted(t, "the same request without a word on unknown contacts", err, fault.Exists, "request-id-reused")
	_, err = handIn("two", 9, 0)
	wanted(t, "cells", err, fault.Invalid, "bad-policy")
	_, err = handIn("two", 0, 9)
	wanted(t, "unknown contacts", err, fault.Invalid, "bad-policy")
	claim, err := wk.service.Claim(wk.ctx(), &ingestv1.ClaimRequest{JobId: job.GetId(), Stage: string(event.Validate), Instance: "worker-" + wk.life, Incarnation: wk.life})
	if a := claim.GetWork().GetAccount(); err != nil || !a.GetDropBadCells() || !a.GetKeepOutUnknown() {
		t.Errorf("claim: %v, %v", claim, err)
	}
	plain, err := handIn("two", 0, 0)
	if j := plain.GetJob(); err != nil || j.GetBadCell() != accountsv1.BadCell_BAD_CELL_REJECT_ROW || j.GetUnknownToProvider() != accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD || j.GetSettings().GetBadCell() != 0 {
		t.Errorf("job that says nothing: %v, %v", j, err)
	}
}

// What becomes of a job whose provider is down, and how long answers hold, is the account's word, frozen with the job; the
// first is the job's where it has one.
func TestProviderSettingsAreFrozen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	hand := func(down accountsv1.ProviderDown) *ingestv1.Job {
		return c.uploadAs("email\na@example.com\n", &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD, ProviderDown: down})
	}
	const (
		unset    = accountsv1.ProviderDown_PROVIDER_DOWN_UNSPECIFIED
		wait     = accountsv1.ProviderDown_PROVIDER_DOWN_WAIT
		complete = accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE
	)
	before := hand(unset)
	w.complete.Store(true)
	after, own := hand(unset), hand(wait)
	wk.validate(before, simple(), nil) // two of an account are validated at a time
	for _, tc := range []struct {
		job   *ingestv1.Job
		stage event.Stage
		want  accountsv1.ProviderDown
		days  int32
	}{{before, event.Match, wait, 90}, {after, event.Validate, complete, 30}, {own, event.Validate, wait, 30}} {
		if tc.job.GetProviderDown() != tc.want {
			t.Errorf("job %d is shown with %s, want %s", tc.job.GetNumber(), tc.job.GetProviderDown(), tc.want)
		}
		work, _ := wk.work(tc.job, tc.stage)
		if got := work.GetAccount(); got.GetCompleteWithoutProvider() != (tc.want == complete) || got.GetProviderDays() != tc.days {
			t.Errorf("job %d goes by %v, want %s and %d days", tc.job.GetNumber(), got, tc.want, tc.days)
		}
	}
	h := header("x", []byte("x"))
	h.Settings.ProviderDown = 9
	_, err := c.upload(t.Context(), h, []byte("x"))
	wanted(t, "a policy that is none", err, fault.Invalid, "bad-policy")
}

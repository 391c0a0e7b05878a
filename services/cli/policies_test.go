package cli_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/cli"
)

type ruleset = map[string]accountsv1.FieldRule

// undo is a job that takes job 3 back.
func undo(number string, state ingestv1.JobState, counts *ingestv1.Counts) *ingestv1.Job {
	j := job(number, state, counts)
	j.FileName, j.UndoOf, j.UndoOfNumber = "", "job-3", 3
	return j
}

// pastOfAContact is a history with all kinds of origins.
func pastOfAContact() *contactsv1.GetContactHistoryResponse {
	at := job("1", 0, nil).CreatedAt
	hand := &contactsv1.Origin{Kind: "hand", By: "0198a2c4-0000-7000-8000-000000000001", At: at}
	return &contactsv1.GetContactHistoryResponse{
		Values: []*contactsv1.ValueOrigin{
			{Field: "email", Value: "a@example.org", Origin: &contactsv1.Origin{Kind: "job", JobId: "job-3", JobNumber: 3, Line: 17, At: at}},
			{Field: "phone", Value: "+12025550143", Origin: hand},
			{Field: "first_name", Value: hostile, Origin: &contactsv1.Origin{Kind: "job", JobId: "job-7", JobNumber: 7, At: at}},
		},
		Changes: []*contactsv1.ContactChange{
			{What: "changed", Origin: &contactsv1.Origin{Kind: "job", JobId: "job-7", JobNumber: 7, At: at}, UndoOf: 5, Values: []*contactsv1.ValueChange{{Field: "first_name", Before: "Grace", After: hostile}}},
			{What: "changed", Origin: hand, Values: []*contactsv1.ValueChange{{Field: "phone", Before: "+12025550199", After: "+12025550143"}, {Field: "city", Before: "Rome"}}},
			{What: "restored", Origin: &contactsv1.Origin{Kind: "job", JobId: "job-4", JobNumber: 4, At: at}, UndoOf: 3},
			{What: "made", Origin: &contactsv1.Origin{Kind: "job", JobId: "job-3", JobNumber: 3, Line: 17, At: at}},
		},
	}
}

func TestPoliciesAreSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.fields = fieldsOfAnAccount()
	ifEmpty, never := accountsv1.FieldRule_FIELD_RULE_IF_EMPTY, accountsv1.FieldRule_FIELD_RULE_NEVER
	for _, c := range []struct {
		flags     []string
		account   *accountsv1.Policies
		setKeys   bool
		ofAccount bool // only an account takes them
		job       *accountsv1.Policies
	}{
		{flags: nil},
		{flags: []string{"--rule", "phone=if-empty", "--rule", "*=NEVER", "--rule", "phone=if_empty"},
			account: &accountsv1.Policies{Rules: ruleset{"phone": ifEmpty, "*": never}}, job: &accountsv1.Policies{Rules: ruleset{"phone": ifEmpty, "*": never}}},
		{flags: []string{"--rule", "phone=", "--hand-made", "keep"}, ofAccount: true,
			account: &accountsv1.Policies{Rules: ruleset{"phone": 0}, HandMade: accountsv1.HandMade_HAND_MADE_KEEP}},
		{flags: []string{"--hand-made", "new-values", "--match-by", "external_id,card_no"}, setKeys: true,
			account: &accountsv1.Policies{HandMade: accountsv1.HandMade_HAND_MADE_NEW_VALUES, Keys: []string{"external_id", "card_no"}},
			job:     &accountsv1.Policies{HandMade: accountsv1.HandMade_HAND_MADE_NEW_VALUES, Keys: []string{"external_id", "card_no"}}},
		{flags: []string{"--match-by="}, setKeys: true, account: &accountsv1.Policies{}, job: &accountsv1.Policies{Keys: []string{"email", "card_no", "name_birth_zip"}}},
	} {
		r := s.run(t, "", append([]string{"accounts", "set"}, c.flags...)...)
		if d := cmp.Diff(&accountsv1.UpdateAccountRequest{Policies: c.account, SetKeys: c.setKeys}, s.set, protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("account, %q: %+v (-want +got):\n%s", c.flags, r, d)
		}
		if c.ofAccount {
			continue
		}
		s.header, s.file = nil, nil
		r = s.run(t, "Email\n", append([]string{"import", "-", "--mode", "upsert"}, c.flags...)...)
		if d := cmp.Diff(c.job, s.header.GetSettings().GetPolicies(), protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("job, %q: %+v (-want +got):\n%s", c.flags, r, d)
		}
	}
}

func TestBadCellsAndUnknownContactsAreSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	rejectRow, dropCell := accountsv1.BadCell_BAD_CELL_REJECT_ROW, accountsv1.BadCell_BAD_CELL_DROP_CELL
	add, keepOut := accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD, accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT
	for _, c := range []struct {
		flags   []string
		account *accountsv1.UpdateAccountRequest
		job     *ingestv1.ImportSettings
	}{
		{nil, &accountsv1.UpdateAccountRequest{}, &ingestv1.ImportSettings{}},
		{[]string{"--bad-cell", "drop-cell"}, &accountsv1.UpdateAccountRequest{BadCell: &dropCell}, &ingestv1.ImportSettings{BadCell: dropCell}},
		{[]string{"--bad-cell", "REJECT_ROW", "--unknown-to-provider", "keep-out"}, &accountsv1.UpdateAccountRequest{BadCell: &rejectRow, UnknownToProvider: &keepOut},
			&ingestv1.ImportSettings{BadCell: rejectRow, UnknownToProvider: keepOut}},
		{[]string{"--unknown-to-provider", "add"}, &accountsv1.UpdateAccountRequest{UnknownToProvider: &add}, &ingestv1.ImportSettings{UnknownToProvider: add}},
	} {
		r := s.run(t, "", append([]string{"accounts", "set"}, c.flags...)...)
		if d := cmp.Diff(c.account, s.set, protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("account, %q: %+v (-want +got):\n%s", c.flags, r, d)
		}
		s.header, s.file = nil, nil
		r = s.run(t, "Email\n", append([]string{"import", "-", "--mode", "upsert"}, c.flags...)...)
		c.job.Mode = ingestv1.Mode_MODE_UPSERT
		if d := cmp.Diff(c.job, s.header.GetSettings(), protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("job, %q: %+v (-want +got):\n%s", c.flags, r, d)
		}
	}
}

func TestWhenTheFileWasSoIsSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for said, want := range map[string]time.Time{
		"2026-03-01":                time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local),
		"2026-03-01 14:05":          time.Date(2026, 3, 1, 14, 5, 0, 0, time.Local),
		"2026-03-01T14:05:06":       time.Date(2026, 3, 1, 14, 5, 6, 0, time.Local),
		"2026-03-01T14:05:06Z":      time.Date(2026, 3, 1, 14, 5, 6, 0, time.UTC),
		"2026-03-01T14:05:06+02:00": time.Date(2026, 3, 1, 12, 5, 6, 0, time.UTC),
	} {
		s.header, s.file = nil, nil
		r := s.run(t, "Email\n", "import", "-", "--mode", "upsert", "--as-of", said)
		if d := cmp.Diff(timestamppb.New(want), s.header.GetSettings().GetAsOf(), protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("%s: %+v (-want +got):\n%s", said, r, d)
		}
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, c := range []struct {
		flags  []string
		state  ingestv1.JobState
		counts *ingestv1.Counts
		want   *ingestv1.UndoJobRequest
		out    string
		code   int
	}{
		{nil, ingestv1.JobState_JOB_STATE_READY, nil, &ingestv1.UndoJobRequest{Job: "6"}, "job 6  undo of job 3  READY\n", 0},
		{[]string{"--wait", "--request-id", "r1"}, ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{Rows: 1, Updated: 1, Removed: 1}, &ingestv1.UndoJobRequest{Job: "6", RequestId: "r1"},
			"job 6  undo of job 3  1 contact  ████████████ 100 %  1 removed   2.5 s\n", 0},
		{[]string{"--wait"}, ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{}, &ingestv1.UndoJobRequest{Job: "6"},
			"job 6  undo of job 3  0 contacts  ████████████ 100 %  nothing to take back   2.5 s\n", 0},
		{[]string{"--wait", "--preview"}, ingestv1.JobState_JOB_STATE_CHECKED, nil, &ingestv1.UndoJobRequest{Job: "6", Preview: true},
			"job 6  undo of job 3  0 contacts  ████████████ 100 %  nothing to take back   2.5 s\n", 0},
		{[]string{"--wait"}, ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, &ingestv1.Counts{Rows: 3, Updated: 2, Held: 1}, &ingestv1.UndoJobRequest{Job: "6"},
			"job 6  undo of job 3  3 contacts  ████████████ 100 %  2 put back · 1 kept   2.5 s\n  contactmill jobs report 6 --outcome held\n", 3},
		{[]string{"--wait", "--preview"}, ingestv1.JobState_JOB_STATE_CHECKED, &ingestv1.Counts{Rows: 3, Added: 1, Unchanged: 1, Held: 1}, &ingestv1.UndoJobRequest{Job: "6", Preview: true},
			"job 6  undo of job 3  3 contacts  ████████████ 100 %  would be: 1 restored · 1 undone before · 1 kept   2.5 s\n  contactmill jobs report 6 --outcome held\n", 3},
	} {
		s.put(undo("6", c.state, c.counts))
		r := s.run(t, "", append([]string{"jobs", "undo", "6"}, c.flags...)...)
		if d := cmp.Diff(c.want, s.undone, protocmp.Transform()); d != "" {
			t.Errorf("%q: asked for (-want +got):\n%s", c.flags, d)
		}
		if d := cmp.Diff(result{c.code, c.out, ""}, r, cmp.AllowUnexported(result{})); d != "" {
			t.Errorf("%q (-want +got):\n%s", c.flags, d)
		}
	}
}

// An event tells the counts of an undo in the words that the job has for them.
func TestEventsOfAnUndo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	counts := &ingestv1.Counts{Rows: 8, Updated: 5, Removed: 2, Added: 1, Unchanged: 1, Held: 1}
	var sent []*ingestv1.WatchEventsResponse
	for n, of := range []int64{0, 3} {
		e := event(int64(n+1), ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS)
		e.GetEvent().Time, e.GetEvent().Counts, e.GetEvent().UndoOfNumber = job("1", 0, nil).CreatedAt, counts, of
		sent = append(sent, e)
	}
	s.events = [][]*ingestv1.WatchEventsResponse{sent}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, []string{"events", "watch"}, []string{"CONTACTMILL_ADDR=" + s.addr, "CONTACTMILL_API_KEY=" + apiKey}, strings.NewReader(""), in, io.Discard)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	for n, want := range []string{"1 added · 5 updated · 1 unchanged · 1 held", "2 removed · 3 put back · 1 restored · 1 undone before · 1 kept"} {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), "  "+want) {
			t.Errorf("event %d is told as %q, want %q at its end", n+1, lines.Text(), want)
		}
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

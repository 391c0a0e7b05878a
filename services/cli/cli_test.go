package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	"github.com/contactmill/contactmill/services/cli"
)

// hostile is a name that would turn a terminal's lines and colours if it were let through.
const hostile = "a\x1b[31mred\x1b]0;title\x07\r\nb\u202egnp\u200b.csv\u009b2J"

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var all strings.Builder
	for _, args := range [][]string{
		{"nonsense"}, {"--nope"}, {"-o", "yaml", "jobs", "list"}, {"import"}, {"import", "-"}, {"import", "-", "--mode", ""}, {"import", "f.csv", "--check", "--review"}, {"import", "f.csv", "--mode", "foo"}, {"import", "a", "b", "--mode", "add"},
		{"import", "f.csv", "--mode", "add", "--map", "foo"}, {"import", "f.csv", "--mode", "add", "--map", "=email"}, {"import", "f.csv", "--mode", "add", "--map", "foo="},
		{"import", "f.csv", "--mode", "add", "--date-order", "YDM"}, {"import", "f.csv", "--mode", "add", "--ignore", ""}, {"import", "f.csv", "--mode", "add", "--map", "a=email", "--ignore", "a"},
		{"import", "f.csv", "--mode", "add", "--delimiter", ";;"}, {"import", "f.csv", "--mode", "add", "--quote", "''"}, {"import", "f.csv", "--mode", "add", "--escape", "none"},
		{"import", "f.csv", "--mode", "add", "--header-line", "-1"}, {"import", "f.csv", "--mode", "add", "--value", "a=b"}, {"import", "f.csv", "--mode", "add", "--value", "a:=b"},
		{"import", "f.csv", "--mode", "add", "--value", "a:b=c", "--value", "a:b=d"}, {"inspect", "-"}, {"inspect", "f.csv", "--rows", "0"}, {"inspect", "f.csv", "--mode", "none"},
		{"jobs", "nonsense"}, {"jobs", "get"}, {"jobs", "list", "--state", "FOO"}, {"jobs", "list", "--state", "UNSPECIFIED"},
		{"jobs", "list", "--limit", "x"}, {"jobs", "report", "1", "--outcome", "lost"}, {"contacts", "add", "foo"}, {"contacts", "set", "id"}, {"contacts", "list", "--count", "--all"},
		{"keys", "create", "--role", "boss"}, {"accounts", "set", "--bad-cell", "eat"}, {"accounts", "set", "--rule", "phone"}, {"accounts", "set", "--rule", "=never"},
		{"accounts", "set", "--rule", "phone=sometimes"}, {"accounts", "set", "--rule", "phone=never", "--rule", "phone="}, {"accounts", "set", "--hand-made", ""},
		{"accounts", "set", "--bad-cell", "unspecified"}, {"accounts", "set", "--bad-cell", ""}, {"accounts", "set", "--unknown-to-provider", "keep"},
		{"import", "f.csv", "--mode", "add", "--bad-cell", "drop"}, {"import", "f.csv", "--mode", "add", "--bad-cell", ""}, {"import", "f.csv", "--mode", "add", "--unknown-to-provider", "unspecified"},
		{"import", "f.csv", "--mode", "add", "--rule", "phone="}, {"import", "f.csv", "--mode", "add", "--rule", "phone=unspecified"}, {"import", "f.csv", "--mode", "add", "--hand-made", "drop"},
		{"import", "f.csv", "--mode", "add", "--as-of", "yesterday"}, {"jobs", "undo"}, {"jobs", "report", "1", "--outcome", "held", "--return-to-sender"}, {"jobs", "report", "1", "--plan", "--return-to-sender"},
		{"import", "f.csv", "--mode", "add", "--provider-down", "fail"}, {"accounts", "set", "--provider-down", ""}, {"accounts", "set", "--provider-days", "x"}, {"jobs", "approve"}, {"jobs", "forecast", "1", "2"}, {"contacts", "history"},
		{"accounts", "create"}, {"events", "watch", "now"},
	} {
		r := s.run(t, "", args...)
		if r.code != 2 || r.out != "" {
			t.Errorf("%q: code %d, output %q; want 2 and none", args, r.code, r.out)
		}
		fmt.Fprintf(&all, "$ contactmill %s\n%s\n", strings.Join(args, " "), r.err)
	}
	golden(t, "usage.txt", all.String())
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	var all strings.Builder
	for _, c := range []struct {
		args    []string
		environ []string
		code    int
	}{
		{[]string{"jobs", "get", "99"}, nil, 4},
		{[]string{"jobs", "cancel", "1"}, nil, 1},
		{[]string{"import", dir, "--mode", "add"}, nil, 1},
		{[]string{"import", dir + "/none.csv", "--mode", "add"}, nil, 1},
		{[]string{"import", dir + "/none.csv"}, nil, 1},
		{[]string{"jobs", "approve", "1"}, nil, 1},
		{[]string{"inspect", dir + "/none.csv"}, nil, 1},
		{[]string{"inspect", dir}, nil, 1},
		{[]string{"jobs", "list"}, []string{"CONTACTMILL_ADDR=" + s.addr, "CONTACTMILL_API_KEY=cm_other"}, 1},
		{[]string{"jobs", "list"}, []string{"CONTACTMILL_ADDR=" + s.addr}, 1},
		{[]string{"jobs", "list"}, []string{"CONTACTMILL_ADDR=nowhere", "CONTACTMILL_API_KEY=cm_other"}, 1},
		{[]string{"jobs", "list", "--addr", "127.0.0.1:1"}, nil, 1},
		{[]string{"jobs", "undo", "1"}, nil, 1},
		{[]string{"accounts", "list"}, nil, 1},
		{[]string{"lists", "list"}, nil, 1},
	} {
		var out, errs bytes.Buffer
		environ := c.environ
		if environ == nil {
			environ = []string{"CONTACTMILL_ADDR=" + s.addr, "CONTACTMILL_API_KEY=" + apiKey}
		}
		if code := cli.Run(t.Context(), c.args, environ, strings.NewReader(""), &out, &errs); code != c.code || out.Len() > 0 {
			t.Errorf("%q: code %d, output %q; want %d and none", c.args, code, out.String(), c.code)
		}
		fmt.Fprintf(&all, "$ contactmill %s %s\n%s\n", strings.Join(c.args, " "), c.environ, errs.String())
	}
	golden(t, "errors.txt", strings.NewReplacer(s.addr, "SERVER", dir, "DIR").Replace(all.String()))
}

func TestHelp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var all strings.Builder
	for _, args := range [][]string{{"--help"}, {"import", "--help"}, {"jobs", "--help"}, {"jobs"}, {"contacts", "--help"}, {"accounts", "set", "--help"}, {"jobs", "undo", "--help"}, {"jobs", "report", "--help"},
		{"jobs", "forecast", "--help"}, {"jobs", "approve", "--help"}, {"jobs", "reject", "--help"},
		{"inspect", "--help"}, {"jobs", "answer", "--help"}, {"fields", "--help"}, {"fields", "add", "--help"}, {"codes", "--help"}, {"template", "--help"}} {
		r := s.run(t, "", args...)
		if r.code != 0 || r.err != "" {
			t.Errorf("%q: code %d, %s", args, r.code, r.err)
		}
		fmt.Fprintf(&all, "$ contactmill %s\n%s\n", strings.Join(args, " "), r.out)
	}
	golden(t, "help.txt", all.String())
	if r := s.run(t, "", "--version"); r.code != 0 || !strings.HasPrefix(r.out, "contactmill ") {
		t.Errorf("--version: %+v", r)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	bad := job("2", ingestv1.JobState_JOB_STATE_REJECTED, nil)
	bad.FileName, bad.Problem = hostile, &ingestv1.Problem{Code: "x", Message: hostile, Hint: hostile}
	read := job("4", ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, &ingestv1.Counts{Rows: 20, Added: 6, Invalid: 14})
	read.File = &ingestv1.FileFacts{Format: "csv", Encoding: "utf-16le", Evidence: "bom", Delimiter: "\t", Quote: "\"", Escape: "\\", LineEnd: "LF", HeadingLine: 2,
		Warnings: []*ingestv1.FileWarning{{Code: "title-lines", Message: "a title stands above the heading", Line: 1}}}
	read.Columns = []*ingestv1.Column{{Index: 1, Heading: "Email", Field: "email", Confidence: 1, How: "name"}, {Index: 2, Heading: hostile}, {Index: 3}, {Index: 4, Heading: "line", How: "report"}}
	read.UnknownValues = []*ingestv1.UnknownValue{{Field: "colour", Value: "rouge vif", Rows: 12, Lines: []int64{3, 4, 1005}}, {Field: "colour", Value: hostile, Rows: 1, Lines: []int64{9}}}
	asks := job("3", ingestv1.JobState_JOB_STATE_NEEDS_ANSWER, nil)
	asks.Question = &ingestv1.Question{Code: "date-order", Message: "Day first or month first?", Hint: "contactmill jobs answer 3 --date-order DMY"}
	asks.Queue = &ingestv1.QueuePlace{Ahead: 2}
	kept := job("5", ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{Rows: 1200, Updated: 900, Unchanged: 300, NewerHere: 4})
	kept.Policies = &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"phone": accountsv1.FieldRule_FIELD_RULE_IF_EMPTY, "*": accountsv1.FieldRule_FIELD_RULE_NEWEST},
		HandMade: accountsv1.HandMade_HAND_MADE_KEEP, Keys: []string{"external_id", "email"}}
	kept.BadCell, kept.UnknownToProvider = accountsv1.BadCell_BAD_CELL_DROP_CELL, accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT
	read.Settings.UnknownToProvider = accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD // over an account that says otherwise
	read.BadCell, read.UnknownToProvider = accountsv1.BadCell_BAD_CELL_REJECT_ROW, accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_ADD
	s.put(job("1", ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, &ingestv1.Counts{Rows: 1234567, Added: 1234560, Invalid: 7}), bad, asks, read, kept,
		undo("6", ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, &ingestv1.Counts{Rows: 1210, Added: 1, Updated: 1200, Removed: 1100, Unchanged: 5, Held: 4}))
	dear := spent()
	dear.Id, dear.Number = "job-8", 8
	s.put(planned(), dear)
	s.contacts = []*contactsv1.Contact{{Id: "c1", Values: map[string]string{"first_name": hostile, "email": "a@example.org", "favourite_colour_of_shoes": "R"}, Facts: []*contactsv1.ContactFact{{Name: "phone_line", Value: "mobile", About: "+1202"}}, Lists: []string{hostile}}, {Id: "c2"}}
	s.account = &accountsv1.Account{Id: "a1", Name: hostile, Country: "US", Package: 20_000_000, Recipients: []string{hostile}, Policies: kept.Policies,
		BadCell: accountsv1.BadCell_BAD_CELL_DROP_CELL, UnknownToProvider: accountsv1.UnknownToProvider_UNKNOWN_TO_PROVIDER_KEEP_OUT,
		ProviderDown: accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE, ProviderDays: 30}
	s.history = pastOfAContact()
	for name, args := range map[string][]string{
		"jobs": {"jobs", "list"}, "one-job": {"jobs", "list", "--limit", "1"}, "job-1": {"jobs", "get", "1"}, "job-2": {"jobs", "get", "2"}, "job-3": {"jobs", "get", "job-3"}, "job-4": {"jobs", "get", "4"}, "job-5": {"jobs", "get", "5"}, "job-6": {"jobs", "get", "6"}, "job-7": {"jobs", "get", "7"}, "job-8": {"jobs", "get", "8"},
		"contacts": {"contacts", "list"}, "contact": {"contacts", "get", "c1"}, "account": {"accounts", "get"}, "history": {"contacts", "history", "c1"},
	} {
		for _, format := range []string{"table", "json", "jsonl"} {
			r := s.run(t, "", append(args, "-o", format)...)
			if r.code != 0 || r.err != "" {
				t.Errorf("%s as %s: code %d, %s", name, format, r.code, r.err)
			}
			if format == "table" && strings.ContainsAny(r.out, "\x1b\a\r\u202e\u200b\u009b") {
				t.Errorf("%s: a name turns the terminal: %q", name, r.out)
			}
			golden(t, name+"."+format, strings.ReplaceAll(r.out, localTime, "CREATED"))
		}
	}
	if r := s.run(t, "", "jobs", "report", "1", "--outcome", "invalid"); r.out != "Email,line\r\nOUTCOME_INVALID\r\n" {
		t.Errorf("report: %+v", r)
	}
	if r := s.run(t, "", "jobs", "report", "1", "--return-to-sender"); r.out != "line,contact_id,field\r\n" {
		t.Errorf("return to sender: %+v", r)
	}
}

var localTime = job("1", 0, nil).CreatedAt.AsTime().Local().Format("2006-01-02 15:04:05")

func TestExitCodesOfEndedJobs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, c := range []struct {
		state  ingestv1.JobState
		counts *ingestv1.Counts
		code   int
	}{
		{ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{Rows: 1, Added: 1}, 0},
		{ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, &ingestv1.Counts{Rows: 1, Invalid: 1}, 3},
		{ingestv1.JobState_JOB_STATE_CHECKED, &ingestv1.Counts{Rows: 1, Duplicate: 1}, 0},
		{ingestv1.JobState_JOB_STATE_CHECKED, &ingestv1.Counts{Rows: 2, Added: 1, Unmatched: 1}, 3},
		{ingestv1.JobState_JOB_STATE_CHECKED, &ingestv1.Counts{Rows: 2, Added: 1, Suppressed: 1}, 3},
		{ingestv1.JobState_JOB_STATE_REJECTED, nil, 1},
		{ingestv1.JobState_JOB_STATE_FAILED, nil, 1},
		{ingestv1.JobState_JOB_STATE_CANCELLED, nil, 1},
		{ingestv1.JobState_JOB_STATE_NEEDS_ANSWER, nil, 5},
		{ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL, nil, 5},
	} {
		s.put(job("1", c.state, c.counts))
		for _, format := range []string{"table", "json"} {
			if r := s.run(t, "", "jobs", "watch", "1", "-o", format); r.code != c.code || r.err != "" || r.out == "" {
				t.Errorf("%s %v: %+v, want code %d", c.state, c.counts, r, c.code)
			}
		}
	}
}

// event is one of a watch.
func event(number int64, state ingestv1.JobState) *ingestv1.WatchEventsResponse {
	return &ingestv1.WatchEventsResponse{Item: &ingestv1.WatchEventsResponse_Event{Event: &ingestv1.Event{Number: number, Type: "job.x", JobId: "job-1", JobNumber: 1, State: state}}}
}

func TestAWatchThatBreaksIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(job("1", ingestv1.JobState_JOB_STATE_QUEUED, nil))
	progress := &ingestv1.WatchEventsResponse{Item: &ingestv1.WatchEventsResponse_Progress{Progress: &ingestv1.JobProgress{Progress: &ingestv1.Progress{Stage: "validate", Done: 1, Total: 2}}}}
	s.events = [][]*ingestv1.WatchEventsResponse{
		{event(4, ingestv1.JobState_JOB_STATE_VALIDATING), progress}, {}, {event(9, ingestv1.JobState_JOB_STATE_NEEDS_ANSWER)},
	}
	s.jobs["1"] = job("1", ingestv1.JobState_JOB_STATE_VALIDATING, nil)
	s.becomes = job("1", ingestv1.JobState_JOB_STATE_NEEDS_ANSWER, nil)
	r := s.run(t, "", "jobs", "watch", "1")
	var after []int64
	for _, w := range s.watches {
		after = append(after, w.After)
	}
	if d := cmp.Diff([]int64{0, 4, 4}, after[:min(3, len(after))]); d != "" || r.code != 5 {
		t.Errorf("%+v; watched after %v (-want +got):\n%s", r, after, d)
	}
}

func TestCtrlCWhileWaitingTellsThatTheJobGoesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(job("1", ingestv1.JobState_JOB_STATE_QUEUED, nil))
	s.events = [][]*ingestv1.WatchEventsResponse{{event(4, ingestv1.JobState_JOB_STATE_VALIDATING)}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() { done <- s.runIn(ctx, "", "jobs", "watch", "1") }()
	<-s.watching
	cancel()
	if r := <-done; r.code != 1 || !strings.Contains(r.err, "job 1 goes on") || !strings.Contains(r.err, "contactmill jobs watch 1") {
		t.Errorf("%+v", r)
	}
}

func TestMappingAndAnswers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(job("1", ingestv1.JobState_JOB_STATE_QUEUED, nil))
	for _, c := range []struct {
		flags []string
		want  *ingestv1.AnswerJobRequest
	}{
		{[]string{"--map", "a=b=email", "--map", "Kunde Nr.=external_id", "--map", "junk=-", "--ignore", "#3", "--ignore", "junk", "--date-order", "dmy"}, &ingestv1.AnswerJobRequest{
			Mapping: map[string]string{"a=b": "email", "Kunde Nr.": "external_id", "junk": "-", "#3": "-"}, DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY}},
		{[]string{"--delimiter", `\t`, "--quote", "NONE", "--escape", "backslash", "--encoding", "Shift_JIS", "--sheet", "Blatt 1", "--header-line", "3"}, &ingestv1.AnswerJobRequest{
			Reading: &ingestv1.Reading{Delimiter: "\t", Quote: "none", Escape: `\`, Encoding: "Shift_JIS", Sheet: "Blatt 1", HeadingLine: 3}}},
		{[]string{"--confirm"}, &ingestv1.AnswerJobRequest{Mapping: map[string]string{}, Confirm: true}},
		{[]string{"--value", "colour:rouge=R", "--value", "colour:a:b=c=G", "--value", "size:n/a="}, &ingestv1.AnswerJobRequest{
			Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"rouge": "R", "a:b=c": "G"}}, "size": {Values: map[string]string{"n/a": ""}}}}},
	} {
		c.want.Job = "1"
		r := s.run(t, "", append([]string{"jobs", "answer", "1"}, c.flags...)...)
		if d := cmp.Diff(c.want, s.answered, protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("%q: %+v; answer (-want +got):\n%s", c.flags, r, d)
		}
	}
}

func TestAnUploadIsResumedWhereTheServerIs(t *testing.T) {
	t.Parallel()
	file := bytes.Repeat([]byte("0123456789abcde\n"), 200_000) // 3.2 MB
	name := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	size := int64(len(file))
	for title, c := range map[string]struct {
		breaks  []int64
		lag     int64
		offsets []int64
	}{
		"no break":                         {nil, 0, []int64{0}},
		"in the middle":                    {[]int64{1_000_000}, 0, []int64{0, 1_000_000}},
		"before anything is durable":       {[]int64{1000}, 1000, []int64{0, 0}},
		"bytes on their way are lost":      {[]int64{2_000_000}, 77_777, []int64{0, 1_922_223}},
		"three times, and at the very end": {[]int64{500_000, 500_001, size}, 0, []int64{0, 500_000, 500_001, size}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.breaks, s.lag = c.breaks, c.lag
			r := s.run(t, "", "import", name, "--mode", "add", "--list", "L", "--check", "--recipient", "a@example.org", "--request-id", "r1")
			if r.code != 0 || !strings.HasPrefix(r.out, "job 1  leads.csv  QUEUED") {
				t.Errorf("%+v", r)
			}
			if !bytes.Equal(s.file, file) {
				t.Errorf("%d bytes have arrived, others than the file's %d", len(s.file), size)
			}
			if d := cmp.Diff(c.offsets, s.offsets); d != "" {
				t.Errorf("offsets (-want +got):\n%s", d)
			}
			h := s.header
			if h.FileName != "people.csv" || h.RequestId != "r1" || h.Settings.List != "L" || !h.Settings.Check || len(h.Settings.Recipients) != 1 || h.Settings.Mode != ingestv1.Mode_MODE_ADD {
				t.Errorf("header %v", h)
			}
			if (len(c.breaks) > 0) != strings.Contains(r.err, "taken up again") {
				t.Errorf("said: %s", r.err)
			}
		})
	}
}

func TestStandardInput(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if r := s.run(t, "Email\na@example.org\n", "import", "-", "--mode", "upsert"); r.code != 0 || string(s.file) != "Email\na@example.org\n" || s.header.FileName != "stdin" {
		t.Errorf("%+v, file %q, header %v", r, s.file, s.header)
	}
}

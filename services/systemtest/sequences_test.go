package systemtest

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	nouns "github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/contactdb/model/modeltest"
	"github.com/contactmill/contactmill/pkg/row"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

const (
	// modelled is how many random sequences go through the system. CONTACTMILL_TEST_MODEL says how many go through the
	// contact database alone; of so many, one goes through the system.
	modelled      = 4
	modelledShare = 50
	modelledLanes = 4

	// modelledRoom is the package of the accounts, small enough to be too small at times.
	modelledRoom = 7
)

// sequences does files, changes by hand, cancels and undos with the system and with the model of its rules, and wants the
// same outcomes, counts, reports and contacts.
func sequences(t *testing.T, s *target) {
	n := modelled
	if text := os.Getenv("CONTACTMILL_TEST_MODEL"); text != "" {
		all, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("CONTACTMILL_TEST_MODEL=%s is no number", text)
		}
		n = max(n, all/modelledShare)
	}
	from := rand.IntN(1 << 30)
	draw := rapid.Custom(modeltest.Draw)
	for lane := range min(n, modelledLanes) {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			met := map[string]int{}
			for i := lane; i < n && !t.Failed(); i += modelledLanes {
				newPair(t, s, met).run(t, from+i, draw.Example(from+i))
			}
			t.Logf("what came up: %v", met)
		})
	}
}

// pair is an account of the system and its model. Contacts go by the order in which they were made, as in the model.
type pair struct {
	*tenant
	app      *app
	contacts contactsv1.ContactsServiceClient
	lists    contactsv1.ListsServiceClient
	model    *model.Account
	schema   *nouns.Schema
	n        int            // operations done
	ids      []string       // of contacts, by their number less one
	jobs     map[int]string // by the operation
	done     []model.Operation
	met      map[string]int // what became of rows and operations, how often
}

func newPair(t *testing.T, s *target, met map[string]int) *pair {
	t.Helper()
	q := &pair{tenant: s.tenant(t, modelledRoom), schema: modeltest.Schema(), jobs: map[int]string{}, met: met}
	conn := q.contactsConn(t)
	q.app, q.contacts, q.lists = q.tenant.app(t, 0), contactsv1.NewContactsServiceClient(conn), contactsv1.NewListsServiceClient(conn)
	q.model = model.New(q.schema, modelledRoom)
	for _, spec := range q.schema.Own() {
		args := []string{"fields", "add", spec.Name, "--label", spec.Name, "--type", "text"}
		switch {
		case spec.Type == nouns.TypeAuthorisation:
			args[len(args)-1] = "authorisation"
		case spec.Secret:
			args[len(args)-1] = "secret"
		case spec.Key != nouns.NoKey:
			args = append(args, "--unique")
		}
		q.ok(t, &struct{ Name string }{}, args...)
	}
	return q
}

// run does a drawn sequence.
func (q *pair) run(t *testing.T, seed int, all modeltest.Sequence) {
	for _, op := range all {
		op = modeltest.Place(op, q.n+1, q.model)
		if !q.fit(&op) {
			continue
		}
		q.n++
		q.done = append(q.done, op)
		want, got, err := q.do(t, op)
		q.met[op.Kind]++
		for _, line := range want {
			if line, _, found := strings.Cut(line, " #"); found || strings.HasPrefix(line, "REJECTED") {
				q.met[strings.TrimSpace(line)]++
			}
		}
		if err == nil {
			if diff := cmp.Diff(want, got); diff != "" {
				err = fmt.Errorf("what became of it (-model +system):\n%s", diff)
			} else if want, got, err = q.state(t); err == nil {
				if diff := cmp.Diff(want, got); diff != "" {
					err = fmt.Errorf("the account (-model +system):\n%s", diff)
				}
			}
		}
		if err != nil {
			t.Fatalf("sequence %d:\n%s\n\n%v", seed, modeltest.Sequence(q.done), err)
		}
	}
}

// fit leaves out of an operation what other tests are about: lines without a word, unknown contact ids, which are taken
// for the file of another account, requests that are no changes, and calls.
func (q *pair) fit(op *model.Operation) bool {
	op.Job.Rows = slices.DeleteFunc(op.Job.Rows, func(x model.Row) bool { return x.Bad == "" && len(x.Words) == 0 })
	for i := range op.Job.Rows {
		x := &op.Job.Rows[i]
		x.Line = i + 2
		if q.model.Contacts[x.ID] == nil {
			x.ID = 0
		}
	}
	switch op.Kind {
	case "add":
		for f := range op.Words {
			if spec, _ := q.schema.Spec(f); spec.Key != nouns.NoKey || f == nouns.FieldFirstName || f == nouns.FieldLastName {
				return true
			}
		}
		return false
	case "set":
		return len(op.Words) > 0 && op.Contact <= len(q.ids)
	case "undo", "preview":
		return q.jobs[op.Of] != ""
	case "call":
		return false // there is nobody yet who calls
	}
	return len(op.Job.Rows) > 0
}

// byHand is when people change contacts, for the model: after all days that files say.
func (q *pair) byHand() int64 { return int64(10_000+q.n) * model.Hour }

// do does an operation with both, and tells what became of it in the model and in the system.
func (q *pair) do(t *testing.T, op model.Operation) (want, got []string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	switch op.Kind {
	case "add":
		id, refused := q.model.Add(op.Words, slices.Clone(op.Lists), q.byHand())
		var r *contactsv1.AddContactResponse
		err := again(ctx, func() (err error) {
			r, err = q.contacts.AddContact(q.ctx(ctx), &contactsv1.AddContactRequest{Values: q.values(op.Words), Lists: op.Lists})
			return err
		})
		if err == nil {
			q.ids = append(q.ids, r.Contact.Id)
		}
		return []string{refused.Code, fmt.Sprint(id)}, []string{reason(err), fmt.Sprint(q.number(r.GetContact().GetId()))}, nil
	case "set":
		refused := q.model.Set(op.Contact, op.Words, q.byHand())
		err := again(ctx, func() error {
			_, err := q.contacts.SetContact(q.ctx(ctx), &contactsv1.SetContactRequest{Id: q.ids[op.Contact-1], Values: q.values(op.Words)})
			return err
		})
		return []string{refused.Code}, []string{reason(err)}, nil
	case "undo", "preview":
		preview := op.Kind == "preview"
		r, err := q.app.jobs.UndoJob(q.app.ctx(ctx), &ingestv1.UndoJobRequest{Job: q.jobs[op.Of], Preview: preview})
		if err != nil {
			return nil, nil, err
		}
		if preview {
			return q.ended(ctx, r.Job, q.model.Preview(q.n, op.Of, 0), op)
		}
		return q.ended(ctx, r.Job, q.model.Undo(q.n, op.Of, 0), op)
	}
	content, settings := q.file(op)
	r, err := q.app.upload(ctx, headerOf(fmt.Sprintf("%s-%d", q.name, q.n), content, settings), content)
	if err != nil {
		return nil, nil, err
	}
	if op.Kind == "cancel" {
		_, err := q.app.jobs.CancelJob(q.app.ctx(ctx), &ingestv1.CancelJobRequest{Job: r.Job.Id})
		if err == nil {
			j, err := q.wait(ctx, r.Job.Id)
			if err != nil || j.State == ingestv1.JobState_JOB_STATE_CANCELLED {
				return nil, nil, err
			}
		}
		op.Kind = "import" // it was too late
	}
	if op.Kind == "check" {
		return q.ended(ctx, r.Job, q.model.Check(op.Job), op)
	}
	return q.ended(ctx, r.Job, q.model.Import(op.Job), op)
}

// again makes a change until no job is in its way: one that was cancelled may be at work a moment longer.
func again(ctx context.Context, change func() error) error {
	for {
		err := change()
		if code := reason(err); ctx.Err() != nil || code != "job-being-applied" && code != "contacts-being-changed" {
			return err
		}
	}
}

// wait waits until a job is final.
func (q *pair) wait(ctx context.Context, id string) (*ingestv1.Job, error) {
	err := q.app.watch(ctx, &ingestv1.WatchEventsRequest{Job: id}, func(e *ingestv1.Event) bool {
		return !final(strings.TrimPrefix(e.State.String(), "JOB_STATE_")) && e.State != ingestv1.JobState_JOB_STATE_NEEDS_ANSWER
	})
	if err != nil {
		return nil, err
	}
	return q.app.job(ctx, id)
}

// ended waits for a job's end and tells of it beside what the model says.
func (q *pair) ended(ctx context.Context, begun *ingestv1.Job, r model.Result, op model.Operation) (want, got []string, err error) {
	j, err := q.wait(ctx, begun.Id)
	if err != nil {
		return nil, nil, err
	}
	if r.Refused != "" {
		return []string{"REJECTED " + r.Refused}, []string{fmt.Sprint(strings.TrimPrefix(j.State.String(), "JOB_STATE_"), " ", j.GetProblem().GetCode())}, nil
	}
	effect := op.Kind == "import" || op.Kind == "undo"
	counts := map[row.Outcome]int64{}
	state := "COMPLETED"
	for _, e := range r.Rows {
		counts[e.Outcome]++
		if e.Outcome.Rejected() {
			state = "COMPLETED_WITH_REJECTS"
		}
		want = append(want, q.line(e, effect))
	}
	if !effect {
		state = "CHECKED"
	}
	want = append(want, fmt.Sprint(state, " ", len(r.Rows), counts, r.NewerHere, r.Removed))
	if effect {
		q.jobs[q.n] = j.Id
	}
	lines, err := q.report(ctx, j, op, r, effect)
	if err != nil {
		return nil, nil, fmt.Errorf("job %d ended %s (%v %v): %w", j.Number, j.State, j.Problem, j.Question, err)
	}
	c := j.GetCounts()
	told := map[row.Outcome]int64{}
	for o, n := range map[row.Outcome]int64{row.Added: c.GetAdded(), row.Updated: c.GetUpdated(), row.Unchanged: c.GetUnchanged(), row.Duplicate: c.GetDuplicate(),
		row.Unmatched: c.GetUnmatched(), row.Invalid: c.GetInvalid(), row.Conflict: c.GetConflict(), row.Held: c.GetHeld(), row.Suppressed: c.GetSuppressed()} {
		if n > 0 {
			told[o] = n
		}
	}
	return want, append(lines, fmt.Sprint(strings.TrimPrefix(j.State.String(), "JOB_STATE_"), " ", c.GetRows(), told, c.GetNewerHere(), c.GetRemoved())), nil
}

// line is what became of a row, in words that a report has too.
func (q *pair) line(e model.Ended, effect bool) string {
	text := fmt.Sprint(e.Outcome, " ", e.Reason)
	if e.Contact != 0 && (effect || e.Outcome != row.Added || e.Reason != "") {
		text += fmt.Sprintf(" #%d", e.Contact)
	}
	var kept []string
	for _, k := range e.Kept {
		if k.Reason != model.KeptByRule {
			spec, _ := q.schema.Spec(k.Field)
			kept = append(kept, fmt.Sprintf("; %s has %s, %s", spec.Name, q.shown(k.Field, k.Word), k.Reason))
		}
	}
	slices.Sort(kept)
	return text + strings.Join(kept, "")
}

// report reads a job's rows and what is returned to the sender, in the same words. The reason in a report is for people: it
// has to hold the code that the model says.
func (q *pair) report(ctx context.Context, j *ingestv1.Job, op model.Operation, r model.Result, effect bool) ([]string, error) {
	rows, err := q.table(ctx, j, ingestv1.Report_REPORT_ROWS)
	if err != nil {
		return nil, err
	}
	returned, err := q.table(ctx, j, ingestv1.Report_REPORT_RETURN_TO_SENDER)
	if err != nil {
		return nil, err
	}
	kept := map[string][]string{}
	for _, k := range returned {
		value := stdcmp.Or(strings.TrimPrefix(k["value_here"], "'"), "nothing") // the apostrophe is before what a spreadsheet computes
		kept[k["line"]] = append(kept[k["line"]], fmt.Sprintf("; %s has %s, %s", k["field"], value, strings.Fields(k["reason"] + " -")[0]))
	}
	var lines []string
	for i, x := range rows {
		code := "" // that of the model, if the report has it
		if i < len(r.Rows) && strings.Contains(x["reason"], r.Rows[i].Reason) {
			code = r.Rows[i].Reason
		}
		for _, known := range []string{model.NewerHere, model.ConsentKept, model.KeptByRule} {
			if code == "" && strings.Contains(x["reason"], known) {
				code = x["reason"]
			}
		}
		text := x["outcome"] + " " + code
		id := x["contact_id"]
		if effect && x["outcome"] == "ADDED" && op.Kind == "import" {
			q.ids = append(q.ids, id)
		}
		if id != "" && (effect || x["outcome"] != "ADDED" || code != "") {
			text += fmt.Sprintf(" #%d", q.number(id))
		}
		slices.Sort(kept[x["line"]])
		lines = append(lines, text+strings.Join(kept[x["line"]], ""))
	}
	return lines, nil
}

// table downloads a report.
func (q *pair) table(ctx context.Context, j *ingestv1.Job, what ingestv1.Report) ([]map[string]string, error) {
	stream, err := q.app.jobs.DownloadReport(q.app.ctx(ctx), &ingestv1.DownloadReportRequest{Job: j.Id, Report: what})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b.Write(m.Chunk)
	}
	records, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(records) == 0 {
		return nil, fmt.Errorf("report of %d lines: %w", len(records), err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		cells := map[string]string{}
		for i, cell := range record {
			cells[records[0][i]] = cell
		}
		rows = append(rows, cells)
	}
	return rows, nil
}

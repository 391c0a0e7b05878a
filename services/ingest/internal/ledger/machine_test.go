package ledger

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if !set { // each check is some hundred transactions
		setFlag("rapid.checks", "40")
		setFlag("rapid.steps", "50")
	}
	setFlag("rapid.nofailfile", "true")
	os.Exit(m.Run())
}

func setFlag(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}

// modelJob is a job as the model sees it.
type modelJob struct {
	id     uuid.UUID
	number int64
	check  bool
	undo   bool
	review bool
	// approved is of a job under review: its plan was.
	approved bool
	state    State
	stage    event.Stage // open, notices apart; "" for none
	token    int64       // of its holder; 0 for none
	lapsed   bool        // the holder's lease was ended, and nobody took the stage since
}

// model is the account as it ought to be: the rules once more, as short as they can be said.
type model struct {
	r       *rig
	account uuid.UUID
	lives   []Life
	jobs    []*modelJob
	turn    *modelJob
	spent   []Claim // claims that hold nothing any more
	last    int64   // token
}

// planning is whether what merge makes of the job is its plan.
func (j *modelJob) planning() bool { return j.review && !j.approved }

// settle does what follows a change by itself: the turn and the opening of validations.
func (m *model) settle() {
	if m.turn != nil && (m.turn.state.Final() || m.turn.state == NeedsAnswer || m.turn.state == AwaitingApproval) {
		m.turn = nil
	}
	for _, j := range m.jobs {
		if j.check {
			continue
		}
		if m.turn != nil || j.state == Queued || j.state == Validating {
			break
		}
		if j.state == Ready {
			m.turn, j.stage = j, event.Match
			if j.undo {
				j.stage = event.Merge
			}
		}
	}
	open := 0
	for _, j := range m.jobs {
		if j.stage == event.Validate {
			open++
		}
	}
	for _, j := range m.jobs {
		if j.state == Queued && j.stage == "" && open < 2 {
			j.stage = event.Validate
			open++
		}
	}
}

// leave takes the stage from its holder.
func (m *model) leave(j *modelJob) {
	if j.token != 0 {
		m.spent = append(m.spent, Claim{Job: j.id, Stage: j.stage, Token: j.token})
	}
	j.token, j.lapsed, j.stage = 0, false, ""
}

func (m *model) enter(j *modelJob, s State, next event.Stage) {
	m.leave(j)
	j.state, j.stage = s, next
}

func TestRandomOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{r: r, account: newAccount()}
		for i := range 2 {
			m.lives = append(m.lives, Life{Instance: fmt.Sprintf("%s-%d", m.account, i), Incarnation: uuid.Must(uuid.NewV7())})
			if _, err := r.StartInstance(t.Context(), m.lives[i]); err != nil {
				rt.Fatal(err)
			}
		}
		m.accept(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"":        m.compare,
			"accept":  m.accept,
			"claim":   m.claim,
			"claim2":  m.claim, // more often than the rest
			"finish":  m.finish,
			"finish2": m.finish,
			"push":    m.push,
			"push2":   m.push,
			"push3":   m.push,
			"release": m.release,
			"lapse":   m.lapse,
			"restart": m.restart,
			"cancel":  m.cancel,
			"commit":  m.commit,
			"answer":  m.answer,
			"retry":   m.retry,
			"undo":    m.undo,
			"approve": m.approve,
			"reject":  m.reject,
			"predict": m.forecast,
			"stale":   m.stale,
			"renew":   m.renew,
		})
		m.gaps(rt)
	})
}

func (m *model) ledger(t *rapid.T) *Ledger {
	if rapid.Bool().Draw(t, "second replica") {
		return m.r.other
	}
	return m.r.Ledger
}

func (m *model) pick(t *rapid.T, of func(*modelJob) bool) *modelJob {
	var some []*modelJob
	for _, j := range m.jobs {
		if of(j) {
			some = append(some, j)
		}
	}
	if len(some) == 0 {
		t.Skip("no such job")
	}
	return rapid.SampledFrom(some).Draw(t, "job")
}

func (m *model) accept(t *rapid.T) {
	if len(m.jobs) >= 8 {
		t.Skip("enough jobs")
	}
	check := rapid.IntRange(0, 4).Draw(t, "check") == 0
	s := m.r.upload(m.account, fmt.Sprint("r", len(m.jobs), rapid.IntRange(0, 1<<30).Draw(t, "request")))
	s.Settings.Check = check
	review := !check && rapid.IntRange(0, 1).Draw(t, "review") == 0
	s.Settings.Review = review
	j, existing, err := m.ledger(t).Accept(context.Background(), m.account, s)
	if err != nil || existing || j.Number != int64(len(m.jobs)+1) {
		t.Fatalf("accept: job %d of %d, existing %v, %v", j.Number, len(m.jobs)+1, existing, err)
	}
	m.jobs = append(m.jobs, &modelJob{id: j.ID, number: j.Number, check: check, review: review, state: Queued})
	m.settle()
}

func (m *model) claim(t *rapid.T) {
	j := m.pick(t, func(j *modelJob) bool { return !j.state.Final() })
	stage := j.stage
	if stage == "" || rapid.IntRange(0, 9).Draw(t, "wrong stage") == 0 {
		stage = rapid.SampledFrom([]event.Stage{event.Validate, event.Match, event.Enrich, event.Merge}).Draw(t, "stage")
	}
	m.claimAs(t, j, stage)
}

// push brings a job on by some whole stages, so that more of them come far.
func (m *model) push(t *rapid.T) {
	j := m.pick(t, func(j *modelJob) bool { return j.stage != "" })
	for range rapid.IntRange(1, 4).Draw(t, "stages") {
		if j.stage == "" {
			return
		}
		if j.token == 0 || j.lapsed {
			m.claimAs(t, j, j.stage)
		}
		if j.stage == event.Merge && !j.check && !j.planning() {
			if err := m.ledger(t).LeaveToCommit(context.Background(), m.account, Claim{Job: j.id, Stage: j.stage, Token: j.token}); err != nil {
				t.Fatalf("leave for job %d: %v", j.number, err)
			}
			j.state = Committing
		}
		m.finishAs(t, j, Claim{Job: j.id, Stage: j.stage, Token: j.token}, rapid.IntRange(2, 5).Draw(t, "how"))
	}
}

func (m *model) claimAs(t *rapid.T, j *modelJob, stage event.Stage) {
	want := stage == j.stage && (j.token == 0 || j.lapsed)
	g, err := m.ledger(t).Claim(context.Background(), m.account, j.id, stage, rapid.SampledFrom(m.lives).Draw(t, "life"))
	if err != nil || g.Granted != want {
		t.Fatalf("claim %s of job %d in %s: %+v, %v, want granted %v", stage, j.number, j.state, g, err, want)
	}
	if !want {
		return
	}
	if g.Token <= m.last {
		t.Fatalf("token %d follows %d", g.Token, m.last)
	}
	if g.Work.Committing != (j.state == Committing) {
		t.Fatalf("claim of job in %s says committing %v", j.state, g.Work.Committing)
	}
	if w := g.Work; w.Planning != (stage == event.Merge && j.planning()) || (w.Plan != nil) != ((stage == event.Enrich || stage == event.Merge) && j.approved) {
		t.Fatalf("claim %s of job %d in %s, planning %v, approved %v: %+v", stage, j.number, j.state, j.planning(), j.approved, w)
	}
	if j.token != 0 {
		m.spent = append(m.spent, Claim{Job: j.id, Stage: j.stage, Token: j.token})
	}
	m.last, j.token, j.lapsed = g.Token, g.Token, false
	switch stage {
	case event.Validate:
		j.state = Validating
	case event.Match:
		j.state = Matching
	case event.Merge:
		if j.state == Ready {
			j.state = Merging
		}
	}
}

func (m *model) held(t *rapid.T) (*modelJob, Claim) {
	j := m.pick(t, func(j *modelJob) bool { return j.token != 0 })
	return j, Claim{Job: j.id, Stage: j.stage, Token: j.token}
}

func (m *model) finish(t *rapid.T) {
	j, k := m.held(t)
	m.finishAs(t, j, k, rapid.IntRange(0, 5).Draw(t, "how"))
}

func (m *model) finishAs(t *rapid.T, j *modelJob, k Claim, how int) {
	res := Result{Body: []byte(k.Stage)}
	next, state := event.Stage(""), State("")
	rejected := how == 0
	if rejected && k.Stage != event.Enrich {
		res.Rejected = &Problem{Code: "no", Message: "No."}
		res.Rows = 4
		state = Rejected
	}
	switch {
	case state != "":
	case k.Stage == event.Validate && how == 1:
		res.Question = &Question{Code: "what", Message: "What?"}
		state = NeedsAnswer
	case k.Stage == event.Validate:
		res.Rows = 4
		state = Ready
		if j.check {
			next = event.Match
		}
	case k.Stage == event.Match && j.planning():
		res.NewRows = 2
		state, next = Matching, event.Merge
	case k.Stage == event.Merge && j.planning():
		res.Outcomes = Object{Name: "plan", SHA256: "00"}
		res.Counts = Counts{Rows: 4, Added: 3, Invalid: 1}
		state = AwaitingApproval
	case k.Stage == event.Match && how < 3 && !j.check:
		res.NewRows = 2
		state, next = Enriching, event.Enrich
	case k.Stage == event.Match, k.Stage == event.Enrich:
		state, next = Merging, event.Merge
	case k.Stage == event.Merge && j.check:
		res.Counts = Counts{Rows: 4, Added: 4}
		state = Checked
	case k.Stage == event.Merge && j.state == Committing:
		res.Counts = Counts{Rows: 4, Added: 3, Duplicate: 1}
		state = Completed
		if how > 3 {
			res.Counts = Counts{Rows: 4, Added: 3, Held: 1}
			state = CompletedWithRejects
		}
	case k.Stage == event.Merge:
		res.Counts = Counts{Rows: 4, Added: 4}
		if _, err := m.ledger(t).Finish(context.Background(), m.account, k, res); fault.Code(err) != "no-leave" {
			t.Fatalf("merge without leave: %v", err)
		}
		return
	}
	if j.undo { // how many contacts it is about nobody knew before
		res.Counts = Counts{Rows: 7, Updated: 6, Unchanged: 1, Removed: 2}
		if state == CompletedWithRejects {
			res.Counts = Counts{Rows: 9, Updated: 6, Held: 3, Removed: 6}
		}
	}
	for range 2 { // the same again changes nothing
		if _, err := m.ledger(t).Finish(context.Background(), m.account, k, res); err != nil {
			t.Fatalf("finish %s of job %d: %v", k.Stage, j.number, err)
		}
	}
	j.token = 0 // a claim that finished may say so again: it is not stale
	m.enter(j, state, next)
	m.settle()
}

func (m *model) release(t *rapid.T) {
	j, k := m.held(t)
	reason := rapid.SampledFrom([]Reason{Drain, Unavailable}).Draw(t, "reason") // faults would park: told elsewhere
	if _, err := m.ledger(t).Release(context.Background(), m.account, k, Return{Reason: reason}); err != nil {
		t.Fatalf("release %s of job %d: %v", k.Stage, j.number, err)
	}
	m.clear()
	stage := j.stage
	m.leave(j)
	j.stage = stage
}

// clear undoes waiting, and charges, which would make the outcome depend on the clock and on how long a run is.
func (m *model) clear() {
	m.r.sql(`UPDATE ingest.stages SET not_before = NULL, leases_lost = 0, instances_lost = 0, lost_token = NULL WHERE account_id = $1`, m.account)
}

func (m *model) lapse(t *rapid.T) {
	j, k := m.held(t)
	m.r.lapse(k)
	if rapid.Bool().Draw(t, "reconciled") { // else the next claim finds it
		l := m.ledger(t)
		if err := l.endLeases(context.Background(), jobKey{Account: m.account, Job: j.id}); err != nil {
			t.Fatal(err)
		}
		m.clear()
	}
	j.lapsed = true
}

func (m *model) renew(t *rapid.T) {
	j, k := m.held(t)
	if _, err := m.ledger(t).Renew(context.Background(), m.account, k, 1, 2); err != nil {
		t.Fatalf("renew %s of job %d, lapsed %v: %v", k.Stage, j.number, j.lapsed, err)
	}
	j.lapsed = false
}

func (m *model) restart(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "instance")
	m.lives[i].Incarnation = uuid.Must(uuid.NewV7())
	if _, err := m.ledger(t).StartInstance(context.Background(), m.lives[i]); err != nil {
		t.Fatal(err)
	}
	m.clear()
	// whose claims these were is asked, as the model does not note who holds what
	for _, j := range m.jobs {
		if j.token == 0 {
			continue
		}
		var held bool
		m.r.mu.Lock()
		err := m.r.owner.QueryRow(context.Background(), `
			SELECT count(*) > 0 FROM ingest.stages s JOIN ingest.instances i ON i.instance = s.instance AND i.incarnation = s.incarnation
			WHERE s.account_id = $1 AND s.token = $2 AND NOT i.superseded`, m.account, j.token).Scan(&held)
		m.r.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if !held {
			stage := j.stage
			m.leave(j)
			j.stage = stage
		}
	}
}

func (m *model) cancel(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		t.Skip()
	}
	j := m.pick(t, func(*modelJob) bool { return true })
	_, err := m.ledger(t).Cancel(context.Background(), m.account, Ref{Number: j.number})
	switch {
	case j.state == Cancelled && err == nil:
	case j.state == Committing || j.state.Final():
		if j.state != Cancelled && fault.Code(err) != "too-late" {
			t.Fatalf("cancel of job %d in %s: %v", j.number, j.state, err)
		}
	case err != nil:
		t.Fatalf("cancel of job %d in %s: %v", j.number, j.state, err)
	default:
		m.enter(j, Cancelled, "")
		m.settle()
	}
}

func (m *model) commit(t *rapid.T) {
	j := m.pick(t, func(j *modelJob) bool { return j.token != 0 && j.stage == event.Merge && !j.check })
	err := m.ledger(t).LeaveToCommit(context.Background(), m.account, Claim{Job: j.id, Stage: j.stage, Token: j.token})
	if j.planning() {
		if fault.Code(err) != "nothing-to-commit" {
			t.Fatalf("leave for the plan of job %d: %v", j.number, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("leave for job %d: %v", j.number, err)
	}
	j.state = Committing
}

func (m *model) answer(t *rapid.T) {
	j := m.pick(t, func(j *modelJob) bool { return j.state == NeedsAnswer })
	if _, err := m.ledger(t).Answer(context.Background(), m.account, Ref{ID: j.id}, Answer{DateOrder: YMD}); err != nil {
		t.Fatalf("answer of job %d: %v", j.number, err)
	}
	m.enter(j, Queued, "")
	m.settle()
}

func (m *model) retry(t *rapid.T) {
	if len(m.jobs) >= 8 {
		t.Skip("enough jobs")
	}
	j := m.pick(t, func(j *modelJob) bool { return j.state == Cancelled || j.state == Rejected })
	n, _, err := m.ledger(t).Retry(context.Background(), m.account, Ref{ID: j.id}, Resubmission{})
	if err != nil || n.Number != int64(len(m.jobs)+1) {
		t.Fatalf("retry of job %d: job %d, %v", j.number, n.Number, err)
	}
	again := made(n, j.check, j.undo)
	again.review = j.review
	m.jobs = append(m.jobs, again)
	m.settle()
}

// forecast of any job with a file, in whatever state, is a check.
func (m *model) forecast(t *rapid.T) {
	if len(m.jobs) >= 8 {
		t.Skip("enough jobs")
	}
	j := m.pick(t, func(*modelJob) bool { return true })
	n, existing, err := m.ledger(t).Forecast(context.Background(), m.account, Ref{Number: j.number}, Resubmission{})
	if j.undo {
		if fault.Code(err) != "not-forecastable" {
			t.Fatalf("forecast of undo %d: %v", j.number, err)
		}
		return
	}
	if err != nil || existing || n.Number != int64(len(m.jobs)+1) || n.ForecastOf != j.id || !n.Settings.Check || n.Settings.Review {
		t.Fatalf("forecast of job %d: %+v, %v", j.number, n, err)
	}
	m.jobs = append(m.jobs, made(n, true, false))
	m.settle()
}

func (m *model) approve(t *rapid.T) {
	j := m.pick(t, func(j *modelJob) bool { return j.state == AwaitingApproval || rapid.IntRange(0, 4).Draw(t, "any") == 0 })
	got, err := m.ledger(t).Approve(context.Background(), m.account, Ref{Number: j.number}, "admin")
	switch {
	case j.approved:
		if err != nil || got.State != j.state {
			t.Fatalf("job %d in %s approved again: %s, %v", j.number, j.state, got.State, err)
		}
	case j.state != AwaitingApproval:
		if fault.Code(err) != "no-plan" {
			t.Fatalf("approval of job %d in %s: %v", j.number, j.state, err)
		}
	case err != nil:
		t.Fatalf("approval of job %d: %v", j.number, err)
	default:
		j.approved = true
		m.enter(j, Ready, "")
		m.settle()
	}
}

func (m *model) reject(t *rapid.T) {
	j := m.pick(t, func(j *modelJob) bool { return j.state == AwaitingApproval || rapid.IntRange(0, 9).Draw(t, "any") == 0 })
	before := j.state
	got, err := m.ledger(t).Reject(context.Background(), m.account, Ref{ID: j.id}, "not these")
	switch {
	case err == nil && got.Problem.Code == codePlanRejected && (before == AwaitingApproval || before == Rejected && j.review):
		m.enter(j, Rejected, "")
		m.settle()
	case before == AwaitingApproval || fault.Code(err) != "no-plan":
		t.Fatalf("rejection of job %d in %s: %+v, %v", j.number, before, got, err)
	}
}

// made is a job that has a beginning without an upload.
func made(n Job, check, undo bool) *modelJob {
	j := &modelJob{id: n.ID, number: n.Number, check: check, undo: undo, state: Queued}
	if undo {
		j.state = Ready
		if check {
			j.stage = event.Merge
		}
	}
	return j
}

func (m *model) undo(t *rapid.T) {
	if len(m.jobs) >= 8 {
		t.Skip("enough jobs")
	}
	j := m.pick(t, func(*modelJob) bool { return true })
	preview := rapid.IntRange(0, 3).Draw(t, "preview") == 0
	n, existing, err := m.ledger(t).Undo(context.Background(), m.account, Ref{Number: j.number}, preview, Resubmission{})
	if j.state != Completed && j.state != CompletedWithRejects {
		if fault.Code(err) != "not-undoable" {
			t.Fatalf("undo of job %d in %s: %v", j.number, j.state, err)
		}
		return
	}
	if err != nil || existing || n.Number != int64(len(m.jobs)+1) || n.UndoOf != j.id || n.UndoOfNumber != j.number {
		t.Fatalf("undo of job %d: %+v, %v", j.number, n, err)
	}
	m.jobs = append(m.jobs, made(n, preview, true))
	m.settle()
}

func (m *model) stale(t *rapid.T) {
	if len(m.spent) == 0 {
		t.Skip("no stale claim")
	}
	k := rapid.SampledFrom(m.spent).Draw(t, "claim")
	l := m.ledger(t)
	var err error
	switch rapid.IntRange(0, 3).Draw(t, "call") {
	case 0:
		_, err = l.Renew(context.Background(), m.account, k, 1, 2)
	case 1:
		_, err = l.Finish(context.Background(), m.account, k, Result{Body: []byte("late"), Rows: 4})
	case 2:
		_, err = l.Release(context.Background(), m.account, k, Return{Reason: Fault})
	case 3:
		err = l.LeaveToCommit(context.Background(), m.account, k)
	}
	nothing := k.Stage != event.Merge && fault.Code(err) == "nothing-to-commit" // refused before anybody looks whose claim it is
	if fault.Of(err) != fault.Stale && !nothing {
		t.Fatalf("stale claim %+v: %v", k, err)
	}
	m.clear()
}

// compare holds model and ledger side by side.
func (m *model) compare(t *rapid.T) {
	jobs, err := m.ledger(t).Jobs(context.Background(), m.account, Page{Size: 100})
	if err != nil || len(jobs) != len(m.jobs) {
		t.Fatalf("%d jobs, %v, want %d", len(jobs), err, len(m.jobs))
	}
	slices.Reverse(jobs)
	for i, got := range jobs {
		if want := m.jobs[i]; got.ID != want.id || got.State != want.state {
			t.Fatalf("job %d is %s, want %s", want.number, got.State, want.state)
		}
	}
}

// gaps checks the events at the end: numbered without gaps, each a change that the table allows, final ones last.
func (m *model) gaps(t *rapid.T) {
	events, err := m.r.Events(context.Background(), m.account, uuid.Nil, 0, maxEvents)
	if err != nil {
		t.Fatal(err)
	}
	at := map[uuid.UUID]State{}
	var before time.Time
	for i, e := range events {
		if e.Number != int64(i+1) || e.Time.Before(before) {
			t.Fatalf("event %d at place %d, %s after %s", e.Number, i+1, e.Time, before)
		}
		before = e.Time
		if was, ok := at[e.Job]; ok && !MayFollow(was, e.State) || !ok && e.Type != event.JobAccepted {
			t.Fatalf("event %d, %s: %s follows %s", e.Number, e.Type, e.State, was)
		}
		at[e.Job] = e.State
	}
	for _, j := range m.jobs {
		if at[j.id] != j.state {
			t.Fatalf("last event of job %d tells %s, it is %s", j.number, at[j.id], j.state)
		}
	}
}

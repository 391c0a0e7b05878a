package systemtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// order hands in files that change the same contacts, all at once: they take effect in the order of their numbers.
func order(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	const jobs, size = 8, 100
	c := a.app(t, 0)
	numbers := map[int64]string{} // job number: the last name it gives
	var ids []string
	for i := range jobs {
		entries := people(0, size)
		for k := range entries {
			entries[k].last = "Name" + strconv.Itoa(i)
		}
		content := table(entries)
		got, err := c.upload(t.Context(), headerOf(fmt.Sprint("order-", i), content, &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}), content)
		if err != nil {
			t.Fatal(err)
		}
		numbers[got.Job.Number] = "Name" + strconv.Itoa(i)
		ids = append(ids, got.Job.Id)
	}
	for i, id := range ids {
		j := a.ended(t, id)
		want := counts{Rows: size, Updated: size}
		if i == 0 {
			want = counts{Rows: size, Added: size}
		}
		if diff := cmp.Diff(want, j.Counts.rows()); diff != "" || j.Number != int64(i+1) {
			t.Errorf("job %d of the file number %d (-want +got):\n%s", j.Number, i+1, diff)
		}
	}
	for _, one := range a.all(t) {
		if one.Values["last_name"] != numbers[jobs] {
			t.Fatalf("%s is called %s in the end, want %s", one.Values["external_id"], one.Values["last_name"], numbers[jobs])
		}
	}
}

// events are numbered without gaps, and a watcher goes on where it was.
func events(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	for i := range 3 {
		a.imports(t, 0, file(t, "f.csv", table(people(10*i, 10))), "add")
	}
	a.imports(t, 1, file(t, "bad.csv", []byte("foo,bar\n1,2\n")), "add")
	var jobs []job
	a.ok(t, &jobs, "jobs", "list")
	var last int64
	for _, j := range jobs {
		last = max(last, j.LastEvent)
	}
	read := func(replica int, after int64) []*ingestv1.Event {
		var all []*ingestv1.Event
		err := a.app(t, replica).watch(t.Context(), &ingestv1.WatchEventsRequest{After: after}, func(e *ingestv1.Event) bool {
			all = append(all, e)
			return e.Number < last
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := read(0, 0)
	ended := map[string]int{}
	for i, e := range all {
		if e.Number != int64(i+1) {
			t.Fatalf("event %d comes as number %d", e.Number, i+1)
		}
		if e.State >= ingestv1.JobState_JOB_STATE_COMPLETED {
			ended[e.JobId]++
		} else if ended[e.JobId] > 0 {
			t.Errorf("job %d has the event %s after its end", e.JobNumber, e.Type)
		}
	}
	for _, j := range jobs {
		if ended[j.ID] != 1 {
			t.Errorf("job %d has %d final events, want 1", j.Number, ended[j.ID])
		}
	}
	for _, after := range []int64{1, last / 2, last - 1} {
		rest := read(1, after)
		if rest[0].Number != after+1 || len(rest) != len(all)-int(after) {
			t.Errorf("after %d come %d events from number %d, want %d", after, len(rest), rest[0].Number, len(all)-int(after))
		}
	}

	// the command line prints the same, and goes on with what comes
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin+"/contactmill", "events", "watch", "--after", fmt.Sprint(last-1), "-o", "jsonl")
	cmd.Env = append(append(foreign(), s.client...), "CONTACTMILL_API_KEY="+a.key)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }() // killed on purpose
	lines := json.NewDecoder(out)
	var more job
	for number := last; ; number++ {
		var e struct {
			Number int64
			Type   string
			JobID  string `json:"job_id"`
			State  string
		}
		if err := lines.Decode(&e); err != nil {
			t.Fatalf("event %d: %v", number, err)
		}
		if e.Number != number || e.Type == "" {
			t.Fatalf("the command line prints %+v, want event %d", e, number)
		}
		if number == last {
			more = a.hands(t, file(t, "more.csv", table(people(100, 10))), "add")
		}
		if e.JobID == more.ID && final(e.State) {
			break
		}
	}
}

// mails go out once for each ended job and recipient, with links that work.
func mails(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	extra := "extra." + a.recipient
	content := append(people(0, 5), entry{person: 7, bad: true})
	first := a.imports(t, 3, file(t, "first.csv", table(content)), "add", "--recipient", extra)
	second := a.imports(t, 1, file(t, "second.csv", []byte("foo,bar\n1,2\n")), "add")
	checked := a.imports(t, 3, file(t, "third.csv", table(content)), "add", "--check")

	got := s.mailed(t, a.recipient, 2)
	subjects := map[string]bool{}
	for _, l := range got {
		subjects[l.subject] = true
	}
	for _, j := range []job{first, second} {
		if !slices.ContainsFunc(got, func(l letter) bool { return strings.Contains(l.subject, fmt.Sprintf("Job %d ", j.Number)) }) {
			t.Errorf("no mail about job %d among %v", j.Number, subjects)
		}
	}
	l := s.mailed(t, extra, 1)[0]
	if l.id == got[0].id || l.id == got[1].id {
		t.Error("mails to two recipients have one id")
	}
	// a check is told to the submitter alone
	told := s.mailed(t, a.email, 1)
	if len(told) == 1 && !strings.Contains(told[0].subject, fmt.Sprintf("Job %d ", checked.Number)) {
		t.Errorf("the submitter is told %q, want only the check", told[0].subject)
	}
	s.mailed(t, a.recipient, 2)

	links := l.links()
	for _, want := range []string{"/jobs/1", "/jobs/1/reports/added", "/jobs/1/reports/invalid"} {
		if !slices.ContainsFunc(links, func(l string) bool { return strings.HasSuffix(l, want) }) {
			t.Errorf("no link ends in %s among %q", want, links)
		}
	}
	for _, link := range links {
		code, body := fetch(t, link, a.key)
		if code != http.StatusOK {
			t.Errorf("GET %s: %d %s", link, code, body)
			continue
		}
		if _, outcome, ok := strings.Cut(link, "/reports/"); ok {
			if diff := cmp.Diff(a.report(t, first, outcome), records(t, body)); diff != "" {
				t.Errorf("GET %s differs from the command line's report (-command +HTTP):\n%s", link, diff)
			}
			continue
		}
		var page, shown any
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatalf("GET %s: %v in %s", link, err, body)
		}
		a.ok(t, &shown, "jobs", "get", first.ID)
		if diff := cmp.Diff(shown, page); diff != "" {
			t.Errorf("GET %s differs from the command line (-command +HTTP):\n%s", link, diff)
		}
	}
}

// fetch gets a page with a key.
func fetch(t *testing.T, url, key string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

// question is a job that waits for a person, steps aside, is answered, and goes on before later ones.
func question(t *testing.T, s *target) {
	a := s.tenant(t, 1000)
	name := file(t, "dates.csv", []byte("External id,Date of birth\nQ1,01/02/1990\nQ2,03/04/1991\n"))
	j := a.imports(t, 5, name, "add")
	if j.State != "NEEDS_ANSWER" || j.Question == nil || !strings.Contains(j.Question.Hint, "--date-order") {
		t.Fatalf("dates that can be read in two ways: %+v", j)
	}
	if l := s.mailed(t, a.recipient, 1)[0]; !strings.Contains(l.text, j.Question.Message) {
		t.Errorf("the mail does not say what is asked:\n%s", l.text)
	}
	// another file goes by
	if other := a.imports(t, 0, file(t, "other.csv", table(people(0, 3))), "add"); other.Number != j.Number+1 {
		t.Errorf("the file after it has number %d, want %d", other.Number, j.Number+1)
	}
	if r := a.command(t, "jobs", "answer", j.ID, "--date-order", "sideways"); r.code != 2 {
		t.Errorf("an answer that is none: %v, want exit code 2", r)
	}
	var done job
	a.ok(t, &done, "jobs", "answer", fmt.Sprint(j.Number), "--date-order", "DMY", "--wait")
	if done.State != "COMPLETED" || done.ID != j.ID || done.Counts.Added != 2 {
		t.Fatalf("answered: %+v, want 2 added", done)
	}
	if c := a.all(t, "--external-id", "Q2"); len(c) != 1 || c[0].Values["birth_date"] != "1991-04-03" {
		t.Errorf("the date was read as %+v, want 1991-04-03", c)
	}
	s.mailed(t, a.recipient, 3) // the question, and two ends
	if r := a.command(t, "jobs", "answer", j.ID, "--date-order", "DMY"); r.code != 1 {
		t.Errorf("a second answer: %v, want exit code 1", r)
	}
}

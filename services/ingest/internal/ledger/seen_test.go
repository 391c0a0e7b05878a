package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

// memory hands in files and asks what is remembered of them.
type memory struct {
	*rig
	account uuid.UUID
	n       int
}

func headingsKey(name string) []byte {
	return append([]byte(name), bytes.Repeat([]byte{0}, 32-len(name))...)
}

func columnsOf(headings ...string) (out []Column) {
	for i, h := range headings {
		out = append(out, Column{Index: int32(i + 1), Heading: h, Field: strings.ToLower(h)})
	}
	return out
}

// file is a job whose file has been validated.
func (m *memory) file(res Result, with ...func(*Submission)) Job {
	m.t.Helper()
	m.n++
	j := m.accept(m.account, fmt.Sprint("file ", m.n), with...)
	res.Body, res.Rows, res.Invalid = []byte("v"), 10, 1
	m.complete(j, m.take(j, event.Validate), res)
	return j
}

// imported brings a file to its end.
func (m *memory) imported(res Result, shares ...KeyShare) Job {
	m.t.Helper()
	j := m.file(res)
	m.complete(j, m.take(j, event.Match), Result{Body: []byte("m"), Shares: shares})
	k := m.take(j, event.Merge)
	m.leave(j, k)
	m.complete(j, k, Result{Body: []byte("o"), Counts: Counts{Rows: 10, Updated: 9, Invalid: 1}})
	return j
}

// earlier is the numbers of the jobs whose files a file with such columns is compared with.
func (m *memory) earlier(key []byte) (numbers []int64) {
	m.t.Helper()
	m.n++
	j := m.accept(m.account, fmt.Sprint("ask ", m.n))
	k := m.take(j, event.Validate)
	got, err := m.Recall(m.t.Context(), m.account, k, key)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range got.Earlier {
		numbers = append(numbers, f.JobNumber)
	}
	if _, err := m.Cancel(m.t.Context(), m.account, Ref{ID: j.ID}); err != nil {
		m.t.Fatal(err)
	}
	_, err = m.Recall(m.t.Context(), m.account, k, key)
	wantFault(m.t, "earlier files for a cancelled job", err, fault.Stale, "stale")
	return numbers
}

func (m *memory) usual(j Job) []KeyShare {
	m.t.Helper()
	g := m.try(j, event.Match)
	if !g.Granted {
		m.t.Fatalf("match of job %d: %+v", j.Number, g)
	}
	if _, err := m.Cancel(m.t.Context(), m.account, Ref{ID: j.ID}); err != nil {
		m.t.Fatal(err)
	}
	return g.Work.Usual
}

func TestImportedFilesAreRemembered(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	a, b := Result{HeadingsKey: headingsKey("a"), Columns: columnsOf("External_id", "Email")}, Result{HeadingsKey: headingsKey("b"), Columns: columnsOf("Email", "City")}
	if got := m.earlier(a.HeadingsKey); got != nil {
		t.Fatalf("nothing was imported, and earlier files are %v", got)
	}
	check := m.file(a, func(s *Submission) { s.Settings.Check = true })
	m.complete(check, m.take(check, event.Match), Result{Body: []byte("m"), Shares: []KeyShare{{1, 9, 9}}})
	m.complete(check, m.take(check, event.Merge), Result{Body: []byte("o"), Counts: Counts{Rows: 10, Added: 9, Invalid: 1}})
	if _, err := m.Cancel(t.Context(), m.account, Ref{ID: m.file(a).ID}); err != nil {
		t.Fatal(err)
	}
	m.imported(Result{Columns: columnsOf("Email")}) // no heading to know it by
	if got := m.earlier(a.HeadingsKey); got != nil {
		t.Fatalf("checks and cancelled jobs are remembered: %v", got)
	}
	first := m.imported(a, KeyShare{1, 9, 8})
	second := m.imported(b)
	again := m.imported(a, KeyShare{1, 9, 7})
	if d := cmp.Diff([]int64{again.Number, second.Number}, m.earlier(headingsKey("c"))); d != "" {
		t.Errorf("earlier files (-want +got):\n%s", d)
	}
	j := m.accept(m.account, "look")
	got, err := m.Recall(t.Context(), m.account, m.take(j, event.Validate), nil)
	if err != nil || len(got.Earlier) != 2 {
		t.Fatalf("recalled is %+v, %v", got, err)
	}
	if d := cmp.Diff(a.Columns, got.Earlier[0].Columns); d != "" {
		t.Errorf("columns (-want +got):\n%s", d)
	}
	if _, err := m.Cancel(t.Context(), m.account, Ref{ID: j.ID}); err != nil {
		t.Fatal(err)
	}
	if other := (&memory{rig: m.rig, account: newAccount()}); other.earlier(a.HeadingsKey) != nil {
		t.Error("another account is told")
	}

	if d := cmp.Diff([]KeyShare{{1, 9, 7}}, m.usual(m.file(a))); d != "" {
		t.Errorf("usual of the same columns (-want +got):\n%s", d)
	}
	renamed := Result{HeadingsKey: headingsKey("c"), Columns: columnsOf("Number", "Email"), LikeNumber: first.Number} // the file that was there when it was validated
	if d := cmp.Diff([]KeyShare{{1, 9, 7}}, m.usual(m.file(renamed))); d != "" {
		t.Errorf("usual of columns alike (-want +got):\n%s", d)
	}
	if got := m.usual(m.file(Result{HeadingsKey: headingsKey("d")})); got != nil {
		t.Errorf("usual of a file like no other is %v", got)
	}
	same := Result{HeadingsKey: b.HeadingsKey, LikeNumber: first.Number}
	if got := m.usual(m.file(same)); len(got) != 0 {
		t.Errorf("usual of columns that were imported is %v, that of another file", got)
	}
}

// A file that came with one job alone is forgotten with it; one that came before stays known.
func TestUndoneImportsAreForgotten(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	often, once := Result{HeadingsKey: headingsKey("often")}, Result{HeadingsKey: headingsKey("once")}
	m.imported(often)
	last, wrong := m.imported(often), m.imported(once)
	for _, j := range []Job{last, wrong} {
		u := m.undo(j, true) // looking does nothing
		m.complete(u, m.take(u, event.Merge), Result{Body: []byte("o"), Counts: Counts{Rows: 9, Updated: 9}})
	}
	if d := cmp.Diff([]int64{wrong.Number, last.Number}, m.earlier(nil)); d != "" {
		t.Fatalf("earlier files (-want +got):\n%s", d)
	}
	for _, j := range []Job{last, wrong} {
		u := m.undo(j, false)
		k := m.take(u, event.Merge)
		m.leave(u, k)
		m.complete(u, k, Result{Body: []byte("o"), Counts: Counts{Rows: 9, Updated: 9}})
	}
	if d := cmp.Diff([]int64{last.Number}, m.earlier(nil)); d != "" {
		t.Errorf("earlier files (-want +got):\n%s", d)
	}
}

// Twenty are compared with, its own always among them, and the memory is bounded.
func TestEarlierFilesAreBounded(t *testing.T) {
	t.Parallel()
	m := &memory{rig: newRig(t), account: newAccount()}
	own := m.imported(Result{HeadingsKey: headingsKey("own")})
	m.sql(`INSERT INTO ingest.seen_files (account_id, headings_key, columns, shares, job_number, first_number, used_at)
		SELECT $1, decode(lpad(n::text, 64, '0'), 'hex'), '[]', '[]', n, n, clock_timestamp() + n * interval '1 second' FROM generate_series(1000, 1000 + $2::int - 2) n`, m.account, mostSeen)
	got := m.earlier(headingsKey("own"))
	if len(got) != mostEarlier || got[0] != 1000+mostSeen-2 || got[mostEarlier-1] != own.Number {
		t.Fatalf("earlier files are %v, want the 19 latest and its own", got)
	}
	if got := m.earlier(headingsKey("new")); len(got) != mostEarlier || got[mostEarlier-1] == own.Number {
		t.Fatalf("earlier files are %v, want the 20 latest", got)
	}
	m.imported(Result{HeadingsKey: headingsKey("one more")})
	var n int
	if err := m.owner.QueryRow(t.Context(), `SELECT count(*) FROM ingest.seen_files WHERE account_id = $1`, m.account).Scan(&n); err != nil || n != mostSeen {
		t.Fatalf("%d files are remembered, %v, want %d", n, err, mostSeen)
	}
}

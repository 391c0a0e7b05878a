package ingest_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/row"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

func (c *client) report(job string, only ingestv1.Outcome) (string, error) {
	return c.download(&ingestv1.DownloadReportRequest{Job: job, Outcome: only})
}

func (c *client) download(req *ingestv1.DownloadReportRequest) (string, error) {
	s, err := c.jobs.DownloadReport(c.t.Context(), req)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		b.Write(m.GetChunk())
	}
}

func cells(line int64, values ...string) *row.Cells {
	r := &row.Cells{Line: line}
	for _, v := range values {
		r.Cells = append(r.Cells, []byte(v))
	}
	return r
}

var known = uuid.MustParse("0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a39")

// mixed is a file of two chunks with one row of each kind.
func mixed() result {
	bad := cells(5, "=cmd|' /C calc'!A0", "12", "***-**-6789", "a", "extra", "more")
	bad.Invalid = true
	bad.Findings = []row.Finding{{Code: "phone-invalid", Column: 1, Value: "12"}, {Code: "row-long", Column: -1}}
	repaired := cells(3, "Bob", "+15551230000", "", "")
	repaired.Findings = []row.Finding{{Code: "point-zero-removed", Column: 1, Warning: true, Value: "15551230000.0", Repaired: "+15551230000"}}
	warned := cells(4, "Zoë, \"Z\"\nline two", "+15551234567")
	warned.Findings = []row.Finding{{Code: "row-short", Column: -1, Warning: true}}
	return result{
		headings: []string{"First, name", "Phone", "SSN", "LINE"},
		chunks: [][]*row.Cells{
			{cells(2, "Ann", "+15551230000", "***-**-1234", "x"), repaired},
			{warned, bad},
		},
		ended: []*row.Ended{
			{Outcome: row.Added, Contact: known},
			{Outcome: row.Duplicate, Reason: "repeats-row", Detail: "line 2"},
			{Outcome: row.Added, Contact: known},
			{Outcome: row.Invalid, Reason: "phone-invalid"},
		},
	}
}

// A report of a corrected report has no columns of the report before.
func TestColumnsOfAnEarlierReportAreLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	job := c.mustUpload("the file itself is not read again")
	wk.validate(job, result{headings: []string{"line", "Email", "outcome", "reason", "contact_id", "job"}, chunks: [][]*row.Cells{{cells(2, "7", "a@example.com", "INVALID", "why", "", "1")}}},
		func(v *ingestv1.ValidateResult) {
			for i, col := range v.Columns {
				if i != 1 {
					col.How = "report"
				}
			}
		})
	wk.match(job, &ingestv1.MatchResult{})
	wk.merge(job, []*row.Ended{{Outcome: row.Added, Contact: known}})
	got, err := c.report(job.GetId(), 0)
	if want := "Email,line,outcome,reason,contact_id,job\na@example.com,2,ADDED,," + known.String() + ",1\n"; got != want || err != nil {
		t.Errorf("report %q, %v, want %q", got, err, want)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	job := c.mustUpload("the file itself is not read again")
	_, err := c.report(job.GetId(), 0)
	wanted(t, "report of a job under way", err, fault.Precondition, "job-not-final")
	wk.complete(job, mixed())

	all, err := c.report("1", 0)
	if err != nil {
		t.Fatal(err)
	}
	const phone = `not a valid phone number (write it with its country code, such as +1 202 224 3121)`
	want := "\"First, name\",Phone,SSN,LINE,line_2,outcome,reason,contact_id,job\n" +
		"Ann,'+15551230000,***-**-1234,x,2,ADDED,," + known.String() + ",1\n" +
		"Bob,'+15551230000,,,3,DUPLICATE,\"repeats-row: an earlier row of the file has one of its keys (keep one of the rows) [line 2]; column Phone: warning point-zero-removed: " +
		"the digits ended in .0, which was removed (format the column as text before saving) [\"\"15551230000.0\"\" was taken as \"\"+15551230000\"\"]\",,1\n" +
		"\"Zoë, \"\"Z\"\"\nline two\",'+15551234567,,,4,ADDED,warning row-short: the row has fewer cells than the heading; the missing ones count as empty (fill the row up)," + known.String() + ",1\n"
	rows, err := csv.NewReader(strings.NewReader(all)).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("report has %d lines, %v, want 5", len(rows), err)
	}
	if !strings.HasPrefix(all, want) {
		t.Errorf("report (-want +got):\n%s", cmp.Diff(want, all))
	}
	wantRow := []string{"'=cmd|' /C calc'!A0", "12", "***-**-6789", "a", "5", "INVALID",
		"column Phone: phone-invalid: " + phone + "; row-long: the row has more cells than the heading (put cells that hold the delimiter in quotes); 2 cells beyond the heading are left out here", "", "1"}
	if diff := cmp.Diff(wantRow, rows[4]); diff != "" {
		t.Errorf("invalid row (-want +got):\n%s", diff)
	}
	for only, lines := range map[ingestv1.Outcome][]string{
		ingestv1.Outcome_OUTCOME_ADDED: {"2", "4"}, ingestv1.Outcome_OUTCOME_INVALID: {"5"}, ingestv1.Outcome_OUTCOME_DUPLICATE: {"3"}, ingestv1.Outcome_OUTCOME_HELD: nil,
	} {
		text, err := c.report(job.GetId(), only)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows[1:] {
			got = append(got, r[4])
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("lines of %s (-want +got):\n%s", only, diff)
		}
	}
	_, err = c.report(job.GetId(), 99)
	wanted(t, "unknown outcome", err, fault.Invalid, "unknown-outcome")

	rejected := c.mustUpload("rejected")
	wk.reject(rejected)
	_, err = c.report(rejected.GetId(), 0)
	wanted(t, "report of a rejected job", err, fault.Precondition, "no-report")
}

// Objects that are not those that were stored are noticed, and the report is not taken for whole.
func TestDamagedReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := uuid.New()
	r := w.replica()
	c, wk := r.client(account), r.worker(account)
	for name, damage := range map[string]func(map[string]string){
		"outcomes replaced": func(objects map[string]string) {
			other := wk.object(objects["outcomes"], func(out io.Writer) error {
				ow := row.NewOutcomesWriter(out)
				for range 4 {
					if err := ow.Append(&row.Ended{Outcome: row.Added, Contact: known}); err != nil {
						return err
					}
				}
				return ow.Close()
			})
			_ = other
		},
		"cells cut": func(objects map[string]string) {
			content := w.content(objects["cells-b"])
			if _, err := w.store.Put(t.Context(), objects["cells-b"], bytes.NewReader(content[:len(content)-1]), int64(len(content)-1)); err != nil {
				t.Fatal(err)
			}
		},
		"a byte turned": func(objects map[string]string) {
			content := w.content(objects["cells-a"])
			content[len(content)/2] ^= 1
			if _, err := w.store.Put(t.Context(), objects["cells-a"], bytes.NewReader(content), int64(len(content))); err != nil {
				t.Fatal(err)
			}
		},
	} {
		job := c.mustUpload("file of " + name)
		wk.complete(job, mixed())
		objects := map[string]string{}
		for _, o := range w.objects("work/" + account.String() + "/" + job.GetId() + "/") {
			objects[o[strings.LastIndex(o, "/")+1:]] = o
		}
		damage(objects)
		if _, err := c.report(job.GetId(), 0); fault.Of(err) != fault.DataLoss {
			t.Errorf("%s: report ends with %v, want DataLoss", name, err)
		}
	}
}

package email

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// story is a job that people are told of, changed as its tale wants.
func story(change func(*ingestv1.Work)) *ingestv1.Work {
	w := &ingestv1.Work{
		Notice:  "ended",
		Account: &ingestv1.AccountSettings{Name: "Northwind Energy", Country: "US"},
		Job: &ingestv1.Job{Number: 1042, FileName: "leads-may.csv", State: ingestv1.JobState_JOB_STATE_COMPLETED,
			Counts: &ingestv1.Counts{Rows: 1_234_567, Added: 1_200_000, Updated: 30_000, Unchanged: 4_560, Duplicate: 7, Blank: 3}},
	}
	if change != nil {
		change(w)
	}
	return w
}

// undoing is a job that takes back job 3.
func undoing(state ingestv1.JobState, counts *ingestv1.Counts) *ingestv1.Work {
	return story(func(w *ingestv1.Work) {
		w.Job = &ingestv1.Job{Number: 7, UndoOf: "0190a5c0-7c1b-7b3e-9a4d-3f0e6c5b4a39", UndoOfNumber: 3, State: state, Counts: counts}
	})
}

var stories = map[string]*ingestv1.Work{
	"completed": story(nil),
	"completed-with-rejects": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS
		w.Job.Counts = &ingestv1.Counts{Rows: 1000, Added: 950, Unmatched: 10, Invalid: 20, Conflict: 8, Held: 7, Suppressed: 5}
	}),
	"checked": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_CHECKED
	}),
	"rejected": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_REJECTED
		w.Job.Counts = nil
		w.Job.Problem = &ingestv1.Problem{Code: "package-too-small", Message: "The package allows 100 contacts; the account holds 90 and the file brings 11 new ones.", Hint: "Enlarge the package or hand in fewer new contacts, then retry the job."}
	}),
	"failed": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_FAILED
		w.Job.Counts = &ingestv1.Counts{}
		w.Job.Problem = &ingestv1.Problem{Code: "panic", Message: "The merge worker broke on this job."}
	}),
	"cancelled": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_CANCELLED
		w.Job.Counts = nil
	}),
	"needs-answer": story(func(w *ingestv1.Work) {
		w.Notice = question
		w.Job.State = ingestv1.JobState_JOB_STATE_NEEDS_ANSWER
		w.Job.Counts = nil
		w.Job.Question = &ingestv1.Question{Code: "date-order", Message: "The dates of column 4 can be read as day, month, year or as month, day, year.", Hint: "contactmill jobs answer 1042 --date-order DMY"}
	}),
	"answered-meanwhile": story(func(w *ingestv1.Work) {
		w.Notice = question
		w.Job.Counts = nil
		w.Job.Question = &ingestv1.Question{Code: "date-order", Message: "The dates of column 4 can be read as day, month, year or as month, day, year."}
	}),
	"hostile": story(func(w *ingestv1.Work) {
		w.Account.Name = "Evil\r\nBcc: everybody@example.org\r\n\r\n<script>alert(1)</script> =?utf-8?q?x?=\u202egnp.exe " + strings.Repeat("a\u0301\u0302\u0303\u0304\u0305\u0306\u0307", 50)
		w.Job.FileName = "=cmd|' /C calc'!A0 \x00\x1b[31m<img src=x onerror=alert(1)>\u200b\ufeff{{.Account}} %s" + strings.Repeat("x", 5000)
		w.Job.State = ingestv1.JobState_JOB_STATE_REJECTED
		w.Job.Counts = nil
		w.Job.Problem = &ingestv1.Problem{Code: "two-columns", Message: "Columns \"<b>a\r\n.\r\n\" and \"\u2067b\" are both email.\u2028", Hint: strings.Repeat("ab ", 1000)}
	}),
	"awaits-approval": story(func(w *ingestv1.Work) {
		w.Notice = approval
		w.Job.State = ingestv1.JobState_JOB_STATE_AWAITING_APPROVAL
		w.Job.Plan, w.Job.Counts = w.Job.Counts, &ingestv1.Counts{Rows: 1_234_567, Blank: 3}
		w.Job.Forecast = &ingestv1.Forecast{ToSend: 1_190_000, KnownAlready: 10_000, Provider: "phonebook", Cost: &ingestv1.Cost{Micros: 1_190_000_000, Currency: "EUR"}}
	}),
	"approved-meanwhile": story(func(w *ingestv1.Work) {
		w.Notice = approval
		w.Job.State = ingestv1.JobState_JOB_STATE_REJECTED
		w.Job.Plan, w.Job.Counts = &ingestv1.Counts{Rows: 2, Invalid: 2}, nil
		w.Job.Problem = &ingestv1.Problem{Code: "plan-rejected", Message: "The plan was rejected: not these."}
	}),
	"plan-rejected": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_REJECTED
		w.Job.Plan, w.Job.Counts = w.Job.Counts, nil
		w.Job.Problem = &ingestv1.Problem{Code: "plan-rejected", Message: "The plan was rejected: not these.", Hint: "nothing was spent or changed; retry the job to make a new plan"}
	}),
	"forecast": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_CHECKED
		w.Job.Counts = &ingestv1.Counts{Rows: 4, Added: 4}
		w.Job.Forecast = &ingestv1.Forecast{ToSend: 3, KnownAlready: 1, JobsAhead: 1, Provider: "phone\nbook", Cost: &ingestv1.Cost{Micros: 3000, Currency: "EUR"}}
	}),
	"paid-in-vain": story(func(w *ingestv1.Work) {
		w.Job.State = ingestv1.JobState_JOB_STATE_REJECTED
		w.Job.Counts = &ingestv1.Counts{Rows: 4, SentToProvider: 3, EnrichedLater: 1}
		w.Job.Cost = &ingestv1.Cost{Micros: 3000, Currency: "EUR"}
		w.Job.Problem = &ingestv1.Problem{Code: "package-too-small", Message: "The package allows 100 contacts; the account holds 97 and the file brings 4 new ones."}
	}),
	"paid": story(func(w *ingestv1.Work) {
		w.Job.Counts = &ingestv1.Counts{Rows: 4, Added: 4, SentToProvider: 3, KnownToProvider: 2, EnrichedLater: 1}
		w.Job.Cost = &ingestv1.Cost{Micros: 3000, Currency: "EUR"}
		w.Job.CorrectsNumber = 7
	}),
	"newer-here": story(func(w *ingestv1.Work) {
		w.Job.Counts = &ingestv1.Counts{Rows: 1000, Updated: 990, Unchanged: 10, NewerHere: 12}
	}),
	"undone":         undoing(ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, &ingestv1.Counts{Rows: 126, Added: 1, Updated: 123, Unchanged: 1, Held: 1, Removed: 120}),
	"undone-alone":   undoing(ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{Rows: 1, Updated: 1, Removed: 1}),
	"undone-already": undoing(ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{Rows: 3, Unchanged: 3}),
	"undone-nothing": undoing(ingestv1.JobState_JOB_STATE_COMPLETED, &ingestv1.Counts{}),
	"undo-looked-at": undoing(ingestv1.JobState_JOB_STATE_CHECKED, &ingestv1.Counts{Rows: 1204, Updated: 1203, Held: 1, Removed: 1200}),
	"undo-cancelled": undoing(ingestv1.JobState_JOB_STATE_CANCELLED, nil),
	"nothing-known":  {},
}

func TestLetters(t *testing.T) {
	for name, w := range stories {
		t.Run(name, func(t *testing.T) {
			web := "https://mill.example.org/"
			if name == "cancelled" {
				web = ""
			}
			l, err := compose(w, web)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(l.Subject, "\r\n\x00\x1b") || len(l.Subject) > maxSubject || !utf8.ValidString(l.Subject) {
				t.Errorf("subject %q", l.Subject)
			}
			got := "Subject: " + l.Subject + "\n\n" + l.Text + "\n" + l.HTML
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s (-want +got):\n%s", path, d)
			}
		})
	}
}

func TestASubjectOfWideLettersFitsItsLine(t *testing.T) {
	w := proto.CloneOf(stories["completed"])
	w.Account.Name, w.Job.FileName = strings.Repeat("𝔸", 200), strings.Repeat("🦤", 200)
	l, err := compose(w, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Subject) > maxSubject || !utf8.ValidString(l.Subject) || !strings.Contains(l.Subject, "Job 1042 completed") {
		t.Errorf("subject of %d bytes: %q", len(l.Subject), l.Subject)
	}
}

package merge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/row"
)

var twoEmails = file{mode: row.Add, head: []string{"email", "phone"}, rows: [][]string{{"a@x.io", "+12015550101"}, {"b@x.io", ""}}}

// Whatever field a person edits, a merge that has begun to write keeps them out, and says who it is.
func TestAnEditMeetsNoMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, twoEmails)
	w.set(t, "a@x.io", 1, "city", "Oslo")
	f := file{mode: row.Update, head: []string{"email", "first_name"}, rows: [][]string{{"b@x.io", "Bo"}, {"a@x.io", "An"}}}
	c, a := w.prepare(t, f), w.contactOf(t, "a@x.io")
	w.fail = func(at string) error {
		if at != "applied" {
			return nil
		}
		var wait sync.WaitGroup
		for _, values := range [][]string{{"city", "Rome"}, {"phone", "+12015550177"}, {"last_name", "New"}, {"score", "7"}} {
			wait.Go(func() {
				err := w.edit(t, a, 2, values...)
				if want := fmt.Sprintf("job %d is being applied", c.Work.Job.Number); !errors.Is(err, fault.Aborted) || err == nil || !strings.Contains(fault.ToStatus(err).Message(), want) {
					t.Errorf("an edit of %s while a job is being applied: %v, want it refused with %q", values[0], err, want)
				}
			})
		}
		wait.Wait()
		return nil
	}
	if _, err := w.once(t, c, nil); err != nil {
		t.Fatal(err)
	}
	w.set(t, "a@x.io", 2, "city", "Rome")
	if got := w.value(t, "a@x.io", "city || ' ' || first_name"); got != "Rome An" {
		t.Errorf("the contact is %s, want what the job and then the person said", got)
	}
	w.sound(t)
}

// Two people who edit two contacts do not wait for each other, and a merge waits for both.
func TestEditsOfDifferentContactsDoNotMeet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, twoEmails)
	w.set(t, "a@x.io", 1, "city", "Oslo") // the first edit of all is alone
	conn, err := pgx.Connect(t.Context(), w.contactsURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{fmt.Sprintf("set local contactmill.account = '%s'", w.account), "select from contacts.holdings for share",
		"select from contacts.contacts where email = 'a@x.io' for update"} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	w.set(t, "b@x.io", 2, "city", "Bern")
	if err := w.edit(t, w.contactOf(t, "a@x.io"), 2, "city", "Rome"); !errors.Is(err, fault.Aborted) || fault.Code(err) != "contacts-being-changed" {
		t.Errorf("an edit of the contact that is being edited: %v, want it refused", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.set(t, "a@x.io", 2, "city", "Rome")
	w.sound(t)
}

// People who edit without a pause must not keep a merge out.
func TestEditsDoNotKeepMergesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const people, jobs = 8, 5
	add := file{mode: row.Add, head: []string{"email", "city"}}
	for i := range people {
		add.rows = append(add.rows, []string{fmt.Sprintf("p%d@x.io", i), "Rome"})
	}
	w.run(t, add)
	w.set(t, "p0@x.io", 1, "zip", "1")
	ids := w.query(t, "select contact_id::text from contacts.contacts order by contact_id")
	var edits, refused atomic.Int64
	done := make(chan struct{})
	var wait sync.WaitGroup
	for i := range people {
		wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				zip := fmt.Sprint(n)
				e := contactdb.Edit{By: editor, At: january(2), Values: map[contact.Field]*string{contact.FieldZip: &zip}}
				switch err := w.edits.Set(t.Context(), w.account, parse(ids[i]), e); {
				case err == nil:
					edits.Add(1)
				case errors.Is(err, fault.Aborted):
					refused.Add(1)
				default:
					t.Errorf("edit: %v", err)
					return
				}
			}
		})
	}
	for n := range jobs {
		f := add
		f.mode, f.rows = row.Update, nil
		for i := range people {
			f.rows = append(f.rows, []string{fmt.Sprintf("p%d@x.io", i), fmt.Sprintf("City %d", n)})
		}
		if r, _ := w.run(t, f); r.Counts.Updated != people {
			t.Errorf("job %d: counts %v, want %d updated", n, r.Counts, people)
		}
	}
	close(done)
	wait.Wait()
	t.Logf("%d edits, %d refused", edits.Load(), refused.Load())
	// each change found what the one before it left
	for _, id := range ids {
		h, err := w.edits.History(t.Context(), w.account, parse(id), nil)
		if err != nil {
			t.Fatal(err)
		}
		last := map[contact.Field]string{}
		for _, ch := range h.Changes {
			for _, v := range ch.Values {
				if after, ok := last[v.Field]; ok && after != v.After {
					t.Errorf("contact %s: a change found %s %q, and the one before it left %q", id, v.Field, after, v.After)
				}
				last[v.Field] = v.Before
			}
		}
	}
	w.sound(t)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	add := file{mode: row.Upsert, own: ownFields, head: []string{"email", "phone", "city", "ssn", "score", "pin"}, rows: [][]string{{"b@x.io", "", "", "", "", ""}, {"a@x.io", "+12015550101", "Rome", "219099998", "1", "11"}}}
	w.run(t, add)
	w.set(t, "a@x.io", 3, "phone", "+12015550102", "score", "")
	add.rows = [][]string{{"b@x.io", "", "", "", "", ""}, {"a@x.io", "+12015550101", "Oslo", "219099999", "3", "12"}}
	w.run(t, add)
	id := parse(w.query(t, "select contact_id::text from contacts.contacts where email = 'a@x.io'")[0])
	schema, err := fields.SchemaOf(ownFields)
	if err != nil {
		t.Fatal(err)
	}
	h, err := w.edits.History(t.Context(), w.account, id, schema)
	if err != nil {
		t.Fatal(err)
	}
	jobs := w.query(t, "select job_id::text from contacts.applied order by number")
	who := func(o contactdb.Origin) string {
		if o.At.IsZero() {
			t.Errorf("no time of %v", o)
		}
		if o.Job.Valid {
			if o.Job.UUID.String() != jobs[o.Number-1] {
				t.Errorf("job %d is %s, want %s", o.Number, o.Job.UUID, jobs[o.Number-1])
			}
			return fmt.Sprintf("job %d line %d", o.Number, o.Line)
		}
		return fmt.Sprintf("%s on %s", o.By.UUID, o.At.UTC().Format("Jan 2"))
	}
	var got []string
	for _, v := range h.Values {
		got = append(got, fmt.Sprintf("%s %s: %s", schema.Name(v.Field), v.Value, who(v.Origin)))
	}
	for _, ch := range h.Changes {
		line := fmt.Sprintf("%s by %s", ch.What, who(ch.Origin))
		for _, v := range ch.Values {
			line += fmt.Sprintf(", %s %q -> %q", schema.Name(v.Field), v.Before, v.After)
		}
		got = append(got, line)
	}
	hand := editor.String() + " on Jan 3"
	want := []string{
		"phone +12015550102: " + hand,
		"email a@x.io: job 1 line 3",
		"ssn ***-**-****: job 2 line 3",
		"city Oslo: job 2 line 3",
		"score 3: job 2 line 3",
		"pin ***-**-****: job 2 line 3",
		`changed by job 2 line 3, ssn "***-**-****" -> "***-**-****", city "Rome" -> "Oslo", score "" -> "3", pin "***-**-****" -> "***-**-****"`,
		"changed by " + hand + `, phone "+12015550101" -> "+12015550102", score "1" -> ""`,
		"made by job 1 line 3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if _, err := w.edits.History(t.Context(), w.account, uuid.New(), schema); !errors.Is(err, fault.NotFound) {
		t.Errorf("history of an unknown contact: %v, want NotFound", err)
	}

	// a contact that a person made
	email := "hand@x.io"
	id, err = w.edits.Add(t.Context(), w.account, contactdb.Edit{By: editor, At: january(4), Values: map[contact.Field]*string{contact.FieldEmail: &email}}, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	w.run(t, file{mode: row.Update, head: []string{"contact_id", "email"}, rows: [][]string{{id.String(), "file@x.io"}}})
	if h, err = w.edits.History(t.Context(), w.account, id, nil); err != nil {
		t.Fatal(err)
	}
	jobs = w.query(t, "select job_id::text from contacts.applied order by number")
	if n := len(h.Changes); n != 2 || who(h.Changes[1].Origin) != editor.String()+" on Jan 4" || who(h.Values[0].Origin) != "job 3 line 2" {
		t.Errorf("history %v, want that a person made it and a job changed it", h)
	}
}

func TestHistoryTellsOfUndos(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, file{mode: row.Add, head: []string{"email", "city"}, rows: [][]string{{"a@x.io", "Rome"}}})
	w.run(t, file{mode: row.Update, head: []string{"email", "city"}, rows: [][]string{{"a@x.io", "Oslo"}}})
	_, _, back := w.undoes(t, 2)     // 3 puts Rome back
	_, _, gone := w.undoes(t, 1)     // 4 removes the contact
	_, _, again := w.undoes(t, gone) // 5 makes it again
	_, _, forth := w.undoes(t, back) // 6 takes 3 back
	id := w.contactOf(t, "a@x.io")
	h, err := w.edits.History(t.Context(), w.account, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ch := range h.Changes {
		got = append(got, fmt.Sprint(ch.What, " by ", ch.Origin.Number, " undoing ", ch.UndoOf, " ", ch.Values))
	}
	city := func(before, after string) string {
		return fmt.Sprint([]contactdb.ValueChange{{Field: contact.FieldCity, Before: before, After: after}})
	}
	want := []string{
		fmt.Sprint("changed by ", forth, " undoing ", back, " ", city("Rome", "Oslo")),
		fmt.Sprint("restored by ", again, " undoing ", gone, " []"),
		fmt.Sprint("changed by ", back, " undoing 2 ", city("Oslo", "Rome")),
		fmt.Sprint("changed by 2 undoing 0 ", city("Rome", "Oslo")),
		"made by 1 undoing 0 []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if n := len(h.Values); n != 2 || h.Values[1].Value != "Oslo" || h.Values[1].Origin.Number != 2 {
		t.Errorf("values %v, want Oslo of job 2", h.Values)
	}
}

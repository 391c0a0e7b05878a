package contacts

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	contactsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/contacts/v1"
)

func (c *client) history(t *testing.T, id string) (*contactsv1.GetContactHistoryResponse, error) {
	t.Helper()
	return c.contacts.GetContactHistory(t.Context(), &contactsv1.GetContactHistoryRequest{Id: id})
}

// moved writes what a job leaves behind that moves a contact to another city.
func (h *house) moved(t *testing.T, job uuid.UUID, number int64, undoOf uuid.NullUUID, id, city string) {
	t.Helper()
	err := h.database.Open(t, "merge", "contacts").InAccount(t.Context(), h.account, func(ctx context.Context, tx pgx.Tx) error {
		for _, do := range []struct {
			sql  string
			args []any
		}{
			{`insert into contacts.applied (account_id, job_id, token, rows, added, updated, unchanged, duplicate, unmatched, invalid, conflict, held,
				suppressed, outcomes_name, outcomes_size, outcomes_sha256, number, undo_of) values ($1, $2, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, '', 0, '', $3, $4)`,
				[]any{h.account, job, number, undoOf}},
			{`insert into contacts.journal (account_id, job_id, contact_id, line, fields, origins, updated_at, city)
				select account_id, $3, contact_id, 3, 8192, origins, updated_at, city from contacts.contacts where account_id = $1 and contact_id = $2`,
				[]any{h.account, id, job}},
			{`update contacts.contacts set city = $3, origins = contacts.origins_with(origins, 8192, null, jsonb_build_array(jsonb_build_array(8192, $4::bigint, 3)))
				where account_id = $1 and contact_id = $2`, []any{h.account, id, city, number}},
		} {
			if _, err := tx.Exec(ctx, do.sql, do.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestHistoryTellsWhereValuesComeFrom(t *testing.T) {
	h := newHouse(t)
	h.fields.set(h.account, ownFields()...)
	id := h.add(t, values{"first_name": "Ann", "phone": "202-224-3121", "ssn": "536-22-8145", "pin": "4711", "score": "1"}).GetId()
	change := func(v values) {
		t.Helper()
		if _, err := h.set(t, id, v); err != nil {
			t.Fatal(err)
		}
	}
	change(values{"phone": "202-224-3122", "score": "2", "pin": "4712"})
	job, undo := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	h.moved(t, job, 7, uuid.NullUUID{}, id, "Rome")
	change(values{"phone": "UNSET"})
	h.moved(t, undo, 9, uuid.NullUUID{UUID: job, Valid: true}, id, "Oslo")

	got, err := h.history(t, id)
	if err != nil {
		t.Fatal(err)
	}
	hand := &contactsv1.Origin{Kind: "hand", By: h.key.String()}
	byJob := func(id uuid.UUID, number, line int64) *contactsv1.Origin {
		return &contactsv1.Origin{Kind: "job", JobId: id.String(), JobNumber: number, Line: line}
	}
	masked := contactdb.Masked
	want := &contactsv1.GetContactHistoryResponse{
		Values: []*contactsv1.ValueOrigin{
			{Field: "first_name", Value: "Ann", Origin: hand},
			{Field: "ssn", Value: masked, Origin: hand},
			{Field: "city", Value: "Oslo", Origin: byJob(undo, 9, 3)},
			{Field: "score", Value: "2", Origin: hand},
			{Field: "pin", Value: masked, Origin: hand},
		},
		Changes: []*contactsv1.ContactChange{
			{What: "changed", Origin: byJob(undo, 9, 3), UndoOf: 7, Values: []*contactsv1.ValueChange{{Field: "city", Before: "Rome", After: "Oslo"}}},
			{What: "changed", Origin: hand, Values: []*contactsv1.ValueChange{{Field: "phone", Before: "+12022243122"}}},
			{What: "changed", Origin: byJob(job, 7, 3), Values: []*contactsv1.ValueChange{{Field: "city", After: "Rome"}}},
			{What: "changed", Origin: hand, Values: []*contactsv1.ValueChange{{Field: "phone", Before: "+12022243121", After: "+12022243122"},
				{Field: "score", Before: "1", After: "2"}, {Field: "pin", Before: masked, After: masked}}},
			{What: "made", Origin: hand},
		},
	}
	if d := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&contactsv1.Origin{}, "at")); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	last := time.Now().Add(time.Minute)
	for i, c := range got.GetChanges() {
		if at := c.GetOrigin().GetAt(); at == nil || at.AsTime().After(last) {
			t.Errorf("change %d is of %v, the one after it of %v", i, at, last)
		} else {
			last = at.AsTime()
		}
	}

	if got, err = h.admin().history(t, id); err == nil {
		t.Errorf("somebody else's contact: got %v", got)
	}
	wantFault(t, "somebody else's contact", err, fault.NotFound, "unknown-contact")
	_, err = h.history(t, uuid.NewString())
	wantFault(t, "an unknown contact", err, fault.NotFound, "unknown-contact")
	_, err = h.history(t, "17")
	wantFault(t, "no id", err, fault.Invalid, "bad-contact-id")
}

func TestHistoryLeavesOutFieldsThatAreGone(t *testing.T) {
	h := newHouse(t)
	h.fields.set(h.account, ownFields()[2])
	id := h.add(t, values{"email": "a@x.io"}).GetId()
	if _, err := h.set(t, id, values{"score": "2"}); err != nil {
		t.Fatal(err)
	}
	h.fields.set(h.account)
	_, err := h.set(t, id, values{"nothing": "x"}) // asks for the fields anew
	wantFault(t, "a field of nobody", err, fault.Invalid, "unknown-field")
	got, err := h.history(t, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetValues()) != 1 || len(got.GetChanges()) != 2 || len(got.GetChanges()[0].GetValues()) != 0 {
		t.Errorf("history: got %v, want nothing of the field that is gone", got)
	}
}

// Fields that were asked for a moment ago do for a history; without any there is none.
func TestHistoryWhileAccountsIsAway(t *testing.T) {
	h := newHouse(t)
	id := h.add(t, values{"email": "a@x.io"}).GetId()
	other := h.admin()
	theirs := func() error {
		_, err := other.history(t, uuid.NewString())
		return err
	}
	h.fields.mu.Lock()
	h.fields.away = true
	h.fields.mu.Unlock()
	if _, err := h.history(t, id); err != nil {
		t.Errorf("with fields of a moment ago: %v", err)
	}
	wantFault(t, "without any", theirs(), fault.Unavailable, "away")
}

package model_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/contactdb/model"
	"github.com/contactmill/contactmill/pkg/contactdb/model/modeltest"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// schema is the account's fields in all sequences.
var schema = modeltest.Schema()

// world is a database that many accounts share.
type world struct {
	merges   *contactdb.Merges
	contacts *contactdb.Contacts
	ring     *keyring.Keyring
	owner    *pgxpool.Pool // sees everything
	tally    *tally
}

func newWorld(t testing.TB) *world {
	t.Helper()
	d := postgrestest.DB(t, contactdb.Schema)
	ring, err := keyring.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ring: ring}
	if w.merges, err = contactdb.NewMerges(d.Open(t, "merge", "contacts")); err != nil {
		t.Fatal(err)
	}
	if w.contacts, err = contactdb.NewContacts(d.Open(t, "contacts", "contacts"), ring, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if w.owner, err = pgxpool.New(t.Context(), d.OwnerURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.owner.Close)
	return w
}

// account is one that the same is done to as to the model. Its contacts go by the order in which they were made, as in
// the model.
type account struct {
	*world
	id      uuid.UUID
	most    int64
	hasher  *keyring.Hasher
	ids     []uuid.UUID // of contacts, by their number less one
	numbers map[uuid.UUID]int
	jobs    map[int]uuid.UUID
	plans   map[int]*plan // by the number of their job
	token   int64
	values  map[string]string // by their hashes
}

func (w *world) account(most int) *account {
	return &account{world: w, id: uuid.New(), most: int64(most), hasher: w.ring.Hasher(), numbers: map[uuid.UUID]int{}, jobs: map[int]uuid.UUID{}, plans: map[int]*plan{}, values: map[string]string{}}
}

// made notes a new contact.
func (a *account) made(id uuid.UUID) int {
	a.ids = append(a.ids, id)
	a.numbers[id] = len(a.ids)
	return len(a.ids)
}

// contact is the id of a contact; one that nobody has if there is none of that number.
func (a *account) contact(n int) uuid.UUID {
	if n > len(a.ids) {
		return uuid.NewSHA1(a.id, []byte(fmt.Sprint(n)))
	}
	return a.ids[n-1]
}

func hours(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// do does the nth operation, and tells what became of it in the model's words.
func (a *account) do(ctx context.Context, n int, op model.Operation) ([]string, error) {
	a.learn(op.Words)
	for _, x := range op.Job.Rows {
		a.learn(x.Words)
	}
	e := contactdb.Edit{By: uuid.NewSHA1(a.id, []byte("person")), At: hours(int64(n) * model.Hour), Schema: schema, Values: map[contact.Field]*string{}}
	for f, w := range op.Words {
		e.Values[f] = &w.Value
		if w.Clear {
			e.Values[f] = nil
		}
	}
	switch op.Kind {
	case "add":
		for f, v := range e.Values {
			if v == nil {
				delete(e.Values, f)
			}
		}
		id, err := a.contacts.Add(ctx, a.id, e, op.Lists, a.most)
		if err != nil {
			return a.refused(err)
		}
		return []string{fmt.Sprintf("added #%d", a.made(id))}, nil
	case "set":
		if err := a.contacts.Set(ctx, a.id, a.contact(op.Contact), e); err != nil {
			return a.refused(err)
		}
		return []string{"set"}, nil
	case "call":
		_, err := a.owner.Exec(ctx, `update contacts.list_members m set ending = 'reached', attempts_left = 1 from contacts.lists l
			where m.account_id = $1 and m.contact_id = $2 and l.account_id = $1 and l.name = $3 and m.list_id = l.list_id`, a.id, a.contact(op.Contact), op.Lists[0])
		return []string{"called"}, err
	case "undo", "preview":
		return a.undo(ctx, n, op)
	}
	var r model.Result
	var err error
	if op.Kind == "approve" {
		r, err = a.approve(ctx, op.Of)
	} else {
		f := &file{account: a, kind: op.Kind, job: op.Job}
		r, err = f.run(ctx)
	}
	if fault.Code(err) == contactdb.CodePackage {
		r, err = model.Result{Refused: contactdb.CodePackage}, nil
	}
	return r.Lines(schema), err
}

// undo takes a job back, or says what that would do.
func (a *account) undo(ctx context.Context, n int, op model.Operation) ([]string, error) {
	a.token++
	j := contactdb.Job{Account: a.id, ID: uuid.Must(uuid.NewV7()), Number: int64(n), Token: a.token, AsOf: hours(int64(n) * model.Hour), UndoOf: a.jobID(op.Of)}
	c := contactdb.UndoChange{Job: j, Of: j.UndoOf, Schema: schema, Ring: a.ring}
	var r model.Result
	err := a.merges.InAccount(ctx, a.id, func(ctx context.Context, tx pgx.Tx) error {
		own, held, err := a.merges.Begin(ctx, tx, a.id)
		if err != nil {
			return err
		}
		if op.Kind == "preview" {
			if _, err := a.merges.PlanUndo(ctx, tx, c, held.Held, a.most); err != nil {
				return err
			}
			return a.undone(ctx, tx, c, &r)
		}
		if _, _, err := a.merges.Raise(ctx, j, own); err != nil {
			return err
		}
		if held, err = a.merges.Lock(ctx, tx, j); err != nil {
			return err
		}
		did, err := a.merges.Undo(ctx, tx, c, held.Held, a.most)
		if err != nil {
			return err
		}
		if err := a.undone(ctx, tx, c, &r); err != nil {
			return err
		}
		if int(did.Removed) != r.Removed {
			return fmt.Errorf("%d contacts were removed, and %d are told of", did.Removed, r.Removed)
		}
		applied := appliedOf(r)
		applied.Removed, applied.ListID, applied.ListName = did.Removed, did.ListID, did.ListName
		return a.merges.Write(ctx, tx, j, applied)
	})
	if code := fault.Code(err); code == contactdb.CodePackage || code == contactdb.CodeNotUndoable {
		return model.Result{Refused: code}.Lines(schema), nil
	}
	if err == nil && op.Kind == "undo" {
		a.jobs[n] = j.ID
	}
	return r.Lines(schema), err
}

// ids are those of contacts in texts for people.
var ids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// undone reads what became of each contact.
func (a *account) undone(ctx context.Context, tx pgx.Tx, c contactdb.UndoChange, r *model.Result) error {
	all, err := a.merges.Undone(ctx, tx, c)
	if err != nil {
		return err
	}
	defer all.Close()
	for {
		u, err := all.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.Rows = append(r.Rows, model.Ended{Contact: a.numbers[u.Contact], Line: int(u.Line), Outcome: u.Outcome, Reason: string(u.Reason),
			Detail: ids.ReplaceAllStringFunc(u.Detail, func(id string) string { return fmt.Sprintf("#%d", a.numbers[uuid.MustParse(id)]) })})
		if string(u.Reason) == model.Removed {
			r.Removed++
		}
	}
}

// jobID is the id of a job; one that nobody has if none of that number was applied.
func (a *account) jobID(n int) uuid.UUID {
	if id, ok := a.jobs[n]; ok {
		return id
	}
	return uuid.NewSHA1(a.id, []byte(fmt.Sprint("job ", n)))
}

// codes are the refusals that the rules speak of.
var codes = []string{"unknown-contact", "duplicate-contact", "several-contacts", model.ConsentKept, contactdb.CodePackage}

// refused tells of a refusal, with the contact that is named in it.
func (a *account) refused(err error) ([]string, error) {
	code := fault.Code(err)
	if !slices.Contains(codes, code) {
		return nil, err
	}
	text := "refused: " + code
	var named string
	if _, scanErr := fmt.Sscanf(fault.ToStatus(err).Message(), "contact %s has", &named); scanErr == nil {
		text += fmt.Sprintf(" #%d", a.numbers[uuid.MustParse(named)])
	}
	return []string{text}, nil
}

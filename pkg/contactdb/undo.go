package contactdb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math/bits"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed undo/*.sql
var undoQueries embed.FS

// undoSQL is what an undo asks beyond a merge, in the order it asks it.
type undoSQL struct {
	MakeWas, MakeEarlier, MakeUndone, MakeWanted           string
	ReadChain, ReadList, ReadListName                      string
	FindWas, FindEarlier, MeasureWas, MeasureEarlier       string
	HasPlain, FindWhole, FindChanged                       string
	FindMade, FindGone, FindRestored, FindRemoved          string
	FindMembers, FindLeftMembers, FindLeftRestored         string
	FindRemovedMembers                                     string
	CountChanged, MeasureUndone, MeasureWanted             string
	FindWanted, FollowWanted, KeepWanted                   string
	KeepBlocked, DropBlockedOwn, DropBlocked               string
	ReleaseRemovedKeys, ReleaseMostKeys, WriteRestoredKeys string
	ReleaseRemovedFallbacks, ReleaseMostFallbacks          string
	WriteRestoredFallbacks                                 string
	EndMembers, RemoveList, MakeListAgain                  string
	WriteRemoved, RemoveContacts                           string
	WriteRestored, WriteMembersAgain                       string
	ReadUndone                                             string
}

// undoStatements are the statements of undos, and those of merges in the form that reads values from before in the place of staged rows.
type undoStatements struct {
	undoSQL

	finds, findsAgain findSQL
	findMembersAgain  string

	writePlain                                                                                          string // where no own field changes
	readNames, releaseKeys, writeChangedKeys, releaseOwnKeys, writeChangedOwnKeys, writeChangedContacts string
}

func newUndoStatements(m *mergesSQL) (s undoStatements, err error) {
	if s.undoSQL, err = postgres.Queries[undoSQL](undoQueries, "undo"); err != nil {
		return s, err
	}
	s.finds, s.findsAgain = s.find("back"), s.find("again")
	s.FindWhole, s.FindChanged = "", "" // they are all in these
	s.findMembersAgain, s.FindMembers = variant(s.FindMembers, "again"), variant(s.FindMembers)
	for to, from := range map[*string]string{&s.readNames: m.ReadNames, &s.releaseKeys: m.ReleaseKeys, &s.writeChangedKeys: m.WriteChangedKeys,
		&s.releaseOwnKeys: m.ReleaseOwnKeys, &s.writeChangedOwnKeys: m.WriteChangedOwnKeys, &s.writeChangedContacts: m.WriteChangedContacts} {
		*to = variant(from, "undo", "own")
	}
	s.writePlain = variant(m.WriteChangedContacts, "undo", "plain")
	return s, nil
}

// findSQL finds what of a job's fields comes back, of a good part of the account's contacts or of few of them.
type findSQL struct{ whole, wholePart, changed, changedPart string }

func (s *undoSQL) find(with string) findSQL {
	return findSQL{variant(s.FindWhole, with, "whole"), variant(s.FindWhole, with, "part"), variant(s.FindChanged, with, "whole"), variant(s.FindChanged, with, "part")}
}

// of are the statements that find where all of a contact's fields come back, and then the others.
func (f *findSQL) of(most bool) (whole, changed string) {
	if most {
		return f.whole, f.changed
	}
	return f.wholePart, f.changedPart
}

// worthReading is of how many contacts one has to be removed at least for all keys of the account to be read.
const worthReading = 4

// CodeNotUndoable is the code of the refusal to undo a job that had no effect.
const CodeNotUndoable = "not-undoable"

// UndoChange says which job is to be undone, and by which.
type UndoChange struct {
	Job    Job
	Of     uuid.UUID
	Schema *contact.Schema
	Ring   *keyring.Keyring // makes fallback keys
}

// Undone is what an undo did to the account. What it did to each contact tells [Merges.Undone].
type Undone struct {
	Removed, Restored int64         // contacts
	Contacts          int64         // that it changed, about
	ListID            uuid.NullUUID // the list that it removed, or made again
	ListName          string
}

// effect is a job that took effect, as an undo needs to know it.
type effect struct {
	id                  uuid.UUID
	number              *int64
	undoOf, list        uuid.NullUUID
	listName            *string
	firstMade, lastMade uuid.NullUUID
}

// undoing is an undo at work. of is the job that it takes back, root the one with a file whose effects all this is about: of itself,
// or what is at the end of the chain of undos that begins there.
type undoing struct {
	UndoChange
	of, root effect
	again    bool // the root's effects come back: of had taken them away
	redone   bool // of had brought them back

	list               uuid.NullUUID // on which the root put contacts, or which has its name by now
	listThere, listMay bool          // it is there; or it may be made again

	changes           int64  // contacts that get fields back
	fields            uint64 // those fields
	restored, removed int64
}

// PlanUndo finds what there is to undo, for [Merges.Undone], and writes nothing that stays: this is all that a preview does.
func (m *Merges) PlanUndo(ctx context.Context, tx pgx.Tx, c UndoChange, held, most int64) (d Undone, err error) {
	u, err := m.find(ctx, tx, c, held)
	if err != nil {
		return d, err
	}
	if u.fields&(keyBits|ownKeyBits) != 0 || u.restored > 0 {
		if _, err := m.blockUndo(ctx, tx, u); err != nil {
			return d, err
		}
	}
	return u.done(), u.room(held, most)
}

// Undo takes a job back, as far as nobody has touched since what it did, under the account's lock. If more contacts came back than
// most leaves room for, the error has the code [CodePackage]; if the job had no effect, [CodeNotUndoable]. After any error the
// transaction is to be rolled back.
//
// Values are judged by who gave them, not by what they are. What a job left at a field is its own word; what an undo left there is
// the word from before the job.
func (m *Merges) Undo(ctx context.Context, tx pgx.Tx, c UndoChange, held, most int64) (d Undone, err error) {
	u, err := m.find(ctx, tx, c, held)
	if err != nil {
		return d, err
	}
	if err := m.moveKeys(ctx, tx, u, held); err != nil {
		return d, err
	}
	if err := u.room(held, most); err != nil {
		return d, err
	}
	account := c.Job.Account
	if u.fields&fallbackBits != 0 {
		if err := m.renewNames(ctx, tx, c.Ring, account, m.undo.readNames, account); err != nil {
			return d, err
		}
	}
	d = u.done()
	var s script
	if u.changes > 0 {
		journal, write := m.plain.WriteJournal, m.undo.writePlain
		if u.fields&(ownBit|ownKeyBits) != 0 {
			journal, write = m.own.WriteJournal, m.undo.writeChangedContacts
		}
		m.byPlace(&s, func() {
			s.all("write journal", u.changes, journal, account, c.Job.ID)
			if u.fields&fallbackBits != 0 {
				s.add("release fallback keys", m.sql.ReleaseFallbacks, account)
			}
		})
		if u.fields&fallbackBits != 0 {
			s.add("write changed fallback keys", m.sql.WriteChangedFallbacks, account)
		}
		m.byPlace(&s, func() { s.all("write changed contacts", u.changes, write, account) })
	}
	if u.again {
		m.bringBack(&s, u, &d)
	} else {
		m.takeAway(&s, u, &d, u.most(held))
	}
	if n := u.restored - u.removed; n != 0 {
		s.add("write held", m.sql.WriteHeld, account, n)
	}
	if err := s.run(ctx, tx); err != nil {
		return d, err
	}
	return d, nil
}

func (u *undoing) done() Undone {
	return Undone{Removed: u.removed, Restored: u.restored, Contacts: u.changes + u.removed + u.restored}
}

// takeAway removes contacts that the job made, ends memberships, and removes the list if nobody is left on it.
func (m *Merges) takeAway(s *script, u *undoing, d *Undone, most bool) {
	account, job := u.Job.Account, u.Job.ID
	switch {
	case most:
		s.add("release fallback keys of removed contacts", m.undo.ReleaseMostFallbacks, account)
	case u.removed > 0:
		m.byPlace(s, func() { s.add("release fallback keys of removed contacts", m.undo.ReleaseRemovedFallbacks, account) })
	}
	m.byPlace(s, func() {
		if u.removed > 0 || u.listThere {
			s.add("end memberships", m.undo.EndMembers, account, job, u.list)
		}
		if u.removed > 0 {
			s.all("keep removed contacts", u.removed, m.undo.WriteRemoved, account, job)
			s.all("remove contacts", u.removed, m.undo.RemoveContacts, account)
		}
	})
	if u.listThere {
		s.read("remove list", d.scanList, m.undo.RemoveList, account, job, u.root.id, u.list, u.of.id, u.redone && u.of.list == u.list)
	}
}

// most tells whether so many of the contacts held are removed that all keys are better read than theirs looked up.
func (u *undoing) most(held int64) bool { return u.removed > 0 && u.removed*worthReading >= held }

// scanList reads the list that was removed or made again, if one was.
func (d *Undone) scanList(r pgx.Row) error {
	if err := r.Scan(&d.ListID, &d.ListName); !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return nil
}

// bringBack makes removed contacts and the list again, and puts contacts on it.
func (m *Merges) bringBack(s *script, u *undoing, d *Undone) {
	account, of := u.Job.Account, u.of.id
	if u.listMay {
		s.read("make list again", d.scanList, m.undo.MakeListAgain, account, u.list, of)
	}
	if u.restored > 0 {
		s.add("make contacts again", m.undo.WriteRestored, account, of)
		s.add("write fallback keys of contacts made again", m.undo.WriteRestoredFallbacks, account, of)
	}
	s.add("write memberships again", m.undo.WriteMembersAgain, account, of, u.Job.ID, u.list)
}

// find reads what the job did and looks for it at contacts as they are now.
func (m *Merges) find(ctx context.Context, tx pgx.Tx, c UndoChange, held int64) (*undoing, error) {
	u := &undoing{UndoChange: c}
	if err := m.makeUndone(ctx, tx); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, m.sql.JoinSettings, byRows); err != nil {
		return nil, fmt.Errorf("set up joins: %w", err)
	}
	if err := m.readChain(ctx, tx, u); err != nil {
		return nil, err
	}
	if u.root.list.Valid {
		removed := false
		if err := tx.QueryRow(ctx, m.undo.ReadList, c.Job.Account, u.root.list, u.root.listName).Scan(&u.list, &removed); err != nil {
			return nil, fmt.Errorf("read list of the undone job: %w", err)
		}
		u.listThere, u.listMay = u.list.Valid, !u.list.Valid && removed
		if u.listMay {
			u.list = u.root.list
		}
	}
	if err := m.findChanged(ctx, tx, u, held); err != nil {
		return nil, err
	}
	account, root := c.Job.Account, &u.root
	var s script
	switch {
	case u.again:
		s.add("find removed contacts", m.undo.FindRemoved, account, c.Of)
	case u.redone:
		s.add("find contacts made again", m.undo.FindRestored, account, c.Of, u.of.undoOf)
	case root.firstMade.Valid:
		s.add("find made contacts", m.undo.FindMade, account, root.id, root.firstMade, root.lastMade)
		s.add("find made contacts that are gone", m.undo.FindGone, account, root.id, root.firstMade, root.lastMade)
	}
	if err := s.run(ctx, tx); err != nil {
		return nil, err
	}
	if err := m.findMembers(ctx, tx, u); err != nil {
		return nil, err
	}
	return u, m.count(ctx, tx, u)
}

// findChanged finds what of the fields that the job changed comes back: first where all of a contact's do, which mostly is
// everywhere, then what is left.
func (m *Merges) findChanged(ctx context.Context, tx pgx.Tx, u *undoing, held int64) error {
	was, plain, err := m.copyJournal(ctx, tx, u)
	if err != nil || was == 0 {
		return err
	}
	finds := &m.undo.finds
	if u.again {
		finds = &m.undo.findsAgain
	}
	whole, changed := finds.of(whole(was, held))
	account, number := u.Job.Account, u.root.number
	if plain {
		asked := []any{account, number}
		if !u.again {
			asked = append(asked, uuid.NullUUID{UUID: u.root.id, Valid: !u.redone})
		}
		tag, err := tx.Exec(ctx, whole, asked...)
		if err != nil {
			return fmt.Errorf("find changed contacts: %w", err)
		}
		if was -= tag.RowsAffected(); was == 0 {
			return nil
		}
		if err := m.measure(ctx, tx, m.sql.MeasureChanged, tag.RowsAffected()); err != nil {
			return err
		}
	}
	numbers, keys := ownKeys(u.Schema.Own())
	if _, err := tx.Exec(ctx, changed, account, number, numbers, keys); err != nil {
		return fmt.Errorf("find changed contacts: %w", err)
	}
	return nil
}

// copyJournal copies what the job left in the journal, where the planner can measure it. plain tells whether some of it is without own
// fields.
func (m *Merges) copyJournal(ctx context.Context, tx pgx.Tx, u *undoing) (was int64, plain bool, err error) {
	var earlier int64
	var s script
	s.count("copy the journal of the undone job", &was, m.undo.FindWas, u.Job.Account, u.Of)
	if u.again {
		s.count("copy the journal of what it had undone", &earlier, m.undo.FindEarlier, u.Job.Account, u.of.undoOf)
	}
	s.read("look for own fields in the journal of the undone job", func(r pgx.Row) error { return r.Scan(&plain) }, m.undo.HasPlain)
	if err := s.run(ctx, tx); err != nil {
		return 0, false, err
	}
	if err := m.measure(ctx, tx, m.undo.MeasureWas, was); err != nil {
		return 0, false, err
	}
	return was, plain, m.measure(ctx, tx, m.undo.MeasureEarlier, earlier)
}

// findMembers finds memberships of contacts that stay, or stayed.
func (m *Merges) findMembers(ctx context.Context, tx pgx.Tx, u *undoing) error {
	if !u.root.list.Valid {
		return nil
	}
	account, root, of := u.Job.Account, u.root.id, u.of.id
	var s script
	switch {
	case u.again:
		s.add("find ended memberships", m.undo.FindRemovedMembers, account, of, u.list)
	case u.redone:
		s.add("find memberships", m.undo.findMembersAgain, account, root, u.list, of)
		s.add("find ended memberships", m.undo.FindLeftRestored, account, of, u.list, root)
	default:
		s.add("find memberships", m.undo.FindMembers, account, root, u.list)
		s.add("find ended memberships", m.undo.FindLeftMembers, account, root, u.list)
	}
	return s.run(ctx, tx)
}

// makeUndone makes the session's tables, if it has none.
func (m *Merges) makeUndone(ctx context.Context, tx pgx.Tx) error {
	var s script
	for _, sql := range []string{m.sql.MakeChangedOwn, m.undo.MakeWas, m.undo.MakeEarlier, m.undo.MakeUndone, m.undo.MakeWanted} {
		s.add("make tables of undos", sql)
	}
	return s.run(ctx, tx)
}

// readChain reads the job to undo and what it undid.
func (m *Merges) readChain(ctx context.Context, tx pgx.Tx, u *undoing) error {
	rows, err := tx.Query(ctx, m.undo.ReadChain, u.Job.Account, u.Of)
	if err != nil {
		return fmt.Errorf("read the undone job: %w", err)
	}
	chain, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e effect, err error) {
		err = r.Scan(&e.id, &e.number, &e.undoOf, &e.list, &e.listName, &e.firstMade, &e.lastMade)
		return e, err
	})
	if err != nil {
		return fmt.Errorf("read the undone job: %w", err)
	}
	if len(chain) == 0 || chain[0].number == nil {
		return fault.New(fault.Precondition, CodeNotUndoable, "the job had no effect that could be undone").
			Hint("only jobs that were applied to contacts can be undone")
	}
	u.of, u.root = chain[0], chain[len(chain)-1]
	if u.root.undoOf.Valid || u.root.number == nil {
		return fault.New(fault.DataLoss, "undone-job-lost", "job %s is an undo of a job that is not known", u.root.id)
	}
	u.again, u.redone = len(chain)%2 == 0, len(chain) > 1 && len(chain)%2 == 1
	return nil
}

// count counts what was found and tells the planner if it is much.
func (m *Merges) count(ctx context.Context, tx pgx.Tx, u *undoing) error {
	var fields int64
	if err := tx.QueryRow(ctx, m.undo.CountChanged).Scan(&u.changes, &fields, &u.restored, &u.removed); err != nil {
		return fmt.Errorf("count what is undone: %w", err)
	}
	u.fields = uint64(fields)
	if err := m.measure(ctx, tx, m.sql.MeasureChanged, u.changes); err != nil {
		return err
	}
	return m.measure(ctx, tx, m.undo.MeasureUndone, u.restored+u.removed)
}

// moveKeys writes the unique keys behind a savepoint: if the index refuses, what has a key of another contact is kept, and the rest
// is written.
func (m *Merges) moveKeys(ctx context.Context, tx pgx.Tx, u *undoing, held int64) error {
	for blocked := false; ; blocked = true {
		var s script
		m.writeUndoneKeys(&s, u, held)
		err := s.run(ctx, tx)
		if err == nil || blocked || !errors.Is(postgres.Map(err), fault.Exists) {
			return err
		}
		if _, back := tx.Exec(ctx, "rollback to savepoint keys", pgx.QueryExecModeSimpleProtocol); back != nil {
			return errors.Join(err, back)
		}
		n, blockErr := m.blockUndo(ctx, tx, u)
		if blockErr != nil || n == 0 {
			return errors.Join(err, blockErr)
		}
	}
}

func (m *Merges) writeUndoneKeys(s *script, u *undoing, held int64) {
	account, of := u.Job.Account, u.Of
	s.add("guard keys", "savepoint keys")
	switch {
	case u.most(held):
		s.add("release keys of removed contacts", m.undo.ReleaseMostKeys, account)
	case u.removed > 0:
		m.byPlace(s, func() { s.add("release keys of removed contacts", m.undo.ReleaseRemovedKeys, account) })
	}
	if u.fields&keyBits != 0 {
		m.byPlace(s, func() { s.add("release keys", m.undo.releaseKeys, account) })
	}
	if u.fields&ownKeyBits != 0 {
		m.byPlace(s, func() { s.add("release own keys", m.undo.releaseOwnKeys, account) })
		s.add("write changed own keys", m.undo.writeChangedOwnKeys, account)
	}
	if u.fields&keyBits != 0 {
		s.add("write changed keys", m.undo.writeChangedKeys, account)
	}
	if u.restored > 0 {
		s.add("write keys of contacts made again", m.undo.WriteRestoredKeys, account, of)
	}
}

// blockUndo takes out the keys that another contact has and does not give up in this undo, and those that are then not given up.
// A chain of contacts that wait for each other is halved at each step, so that a file with a column shifted by one row takes
// no longer than any other.
func (m *Merges) blockUndo(ctx context.Context, tx pgx.Tx, u *undoing) (blocked int64, err error) {
	found, err := tx.Exec(ctx, m.undo.FindWanted, u.Job.Account, u.Of)
	if err != nil {
		return 0, fmt.Errorf("find keys in the way: %w", err)
	}
	wanted := found.RowsAffected()
	if wanted == 0 {
		return 0, nil
	}
	if err := m.measure(ctx, tx, m.undo.MeasureWanted, wanted); err != nil {
		return 0, err
	}
	for range bits.Len64(uint64(wanted)) + 1 {
		followed, err := tx.Exec(ctx, m.undo.FollowWanted)
		if err != nil {
			return 0, fmt.Errorf("follow keys in the way: %w", err)
		}
		if followed.RowsAffected() == 0 {
			break
		}
	}
	numbers, keys := ownKeys(u.Schema.Own())
	var s script
	s.add("keep contacts away", m.undo.KeepWanted)
	s.count("keep blocked fields", &blocked, m.undo.KeepBlocked, keys, numbers)
	s.add("keep blocked own fields", m.undo.DropBlockedOwn)
	s.add("keep blocked contacts", m.undo.DropBlocked)
	if err := s.run(ctx, tx); err != nil {
		return 0, err
	}
	restored := u.restored
	err = m.count(ctx, tx, u)
	return blocked + restored - u.restored, err
}

// room refuses to hold more contacts than the account's package.
func (u *undoing) room(held, most int64) error {
	if u.restored == 0 || held+u.restored-u.removed <= most {
		return nil
	}
	return fault.New(fault.Precondition, CodePackage, "The package allows %d contacts; the account holds %d and the undo brings %d back.", most, held, u.restored).
		Hint("Enlarge the package, then undo the job again.")
}

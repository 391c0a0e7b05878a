package contactdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres"
)

const (
	// mostBlocks bounds how often the keys are tried again without those that were in the way. The second time
	// none is left; more is a bug.
	mostBlocks = 3

	// wholeFrom: if there is one row for so many contacts of the account, all of them are gone over.
	wholeFrom = 8

	// namesBatch is how many fallback keys are made at once.
	namesBatch = 5_000
)

// CodePackage is the code of the refusal to hold more contacts than the account's package.
const CodePackage = "package-too-small"

// keyBits are the fields that are keys alone, fallbackBits those that the fallback key is made of: bit n for field n.
const (
	keyBits = 1<<contact.FieldExternalID | 1<<contact.FieldEmail | 1<<contact.FieldPhone | 1<<contact.FieldAccountNumber |
		1<<contact.FieldSSN | 1<<contact.FieldVATNumber
	fallbackBits = 1<<contact.FieldFirstName | 1<<contact.FieldLastName | 1<<contact.FieldBirthDate | 1<<contact.FieldZip
)

// Change says what the rows that were staged are.
type Change struct {
	Job   Job
	New   int64          // how many make contacts
	Known bool           // some change contacts
	Meet  bool           // several may change the same contact
	Keys  uint16         // keys that a new one may have, bit n for key n
	Own   []contact.Spec // own fields that a row may have a word on
	List  string
	Rows  int64            // of the file, for positions on the list
	Ring  *keyring.Keyring // makes fallback keys

	Policies Policies
	Edited   bool // a person has given a value in this account, see [Holdings]
}

// Plan compares the rows that were staged with their contacts and keeps what differs, for [Merges.Changed] and [Merges.Apply]. It
// writes nothing that stays: this is all that a check does. held is how many contacts the account holds.
func (m *Merges) Plan(ctx context.Context, tx pgx.Tx, c Change, held int64) (d Difference, err error) {
	if !c.Known {
		return d, nil
	}
	return m.plan(ctx, tx, c, whole(c.Rows-c.New, held))
}

// whole tells whether so many rows or contacts are a good part of those held.
func whole(rows, held int64) bool { return rows*wholeFrom >= held }

// Apply does what the staged rows say, under the account's lock, after [Merges.Plan] found how they differ. most is how many
// contacts the account may hold; if there would be more, the error has the code [CodePackage]. blocked is the number of rows that
// could not be applied, see [Merges.Blocked]. After any error the transaction is to be rolled back.
//
// It tries first and looks for rows in each other's way only if the index of keys refuses, as matching has seen to it that
// there are none unless its result is wrong by now.
func (m *Merges) Apply(ctx context.Context, tx pgx.Tx, c Change, d Difference, held, most int64) (blocked int64, err error) {
	if d.fields&fallbackBits != 0 {
		if err := m.renewNames(ctx, tx, c.Ring, c.Job.Account, m.sql.ReadNames, c.Job.Account); err != nil {
			return 0, err
		}
	}
	added := c.New
	for range mostBlocks {
		tooMany := added > 0 && held+added > most
		var s script
		guarded := m.writeKeys(&s, c, d)
		if !tooMany {
			m.write(&s, c, d, added)
		}
		err := s.run(ctx, tx)
		if err == nil && tooMany {
			err = PackageTooSmall(held, added, most)
		}
		if err == nil || !guarded || !errors.Is(postgres.Map(err), fault.Exists) {
			return blocked, err
		}
		n := int64(0)
		if n, added, d.changes, err = m.block(ctx, tx, c, err); err != nil {
			return 0, err
		}
		blocked += n
	}
	return 0, fault.New(fault.Internal, "keys-collide", "keys of rows collide and none of them is in the way")
}

// hot are the statements for the job.
func (m *Merges) hot(c Change) *hotSQL {
	if len(c.Own) > 0 {
		return &m.own
	}
	return &m.plain
}

// Difference is how the staged rows differ from the contacts they change.
type Difference struct {
	met     bool   // some of them were folded
	changes int64  // contacts that change
	fields  uint64 // fields that change, bit n for field n
}

func (m *Merges) plan(ctx context.Context, tx pgx.Tx, c Change, whole bool) (d Difference, err error) {
	if _, err := tx.Exec(ctx, m.sql.JoinSettings, byRows); err != nil {
		return d, fmt.Errorf("set up joins: %w", err)
	}
	if err := m.withhold(ctx, tx, c); err != nil {
		return d, err
	}
	if d.met, err = m.fold(ctx, tx, c); err != nil {
		return d, err
	}
	var bits int64
	guarded := ownNumbers(c.Own, contact.TypeAuthorisation)
	args := []any{c.Job.Account}
	if len(c.Own) > 0 {
		args = append(args, guarded)
	}
	if err := tx.QueryRow(ctx, m.hot(c).compare(whole), args...).Scan(&d.changes, &bits); err != nil {
		return d, fmt.Errorf("compare with contacts: %w", err)
	}
	if len(guarded) > 0 {
		if _, err := tx.Exec(ctx, m.sql.FindKept, c.Job.Account, guarded); err != nil {
			return d, fmt.Errorf("find withdrawn authorisations: %w", err)
		}
	}
	d.fields = uint64(bits)
	return d, m.measure(ctx, tx, m.sql.MeasureChanged, d.changes)
}

// fold makes one row of those that meet at a contact, however many they are: the first of them, with what
// stays of every field that they change.
func (m *Merges) fold(ctx context.Context, tx pgx.Tx, c Change) (met bool, err error) {
	if !c.Meet {
		return false, nil
	}
	tag, err := tx.Exec(ctx, m.sql.FindMet, c.Job.Account)
	if err != nil {
		return false, fmt.Errorf("find rows that meet: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	if err := m.measure(ctx, tx, m.sql.MeasureMet, tag.RowsAffected()); err != nil {
		return false, err
	}
	steps := []string{m.sql.FoldMet, m.sql.DropFolded}
	if len(c.Own) > 0 {
		keys, bits := ownKeys(c.Own)
		if _, err := tx.Exec(ctx, m.sql.FindMetOwn, c.Job.Account, ownNumbers(c.Own, contact.TypeAuthorisation), keys, bits); err != nil {
			return false, fmt.Errorf("find own fields of rows that meet: %w", err)
		}
		steps = []string{m.sql.FoldMet, m.sql.FoldMetOwn, m.sql.DropFolded}
	}
	for _, sql := range steps {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return false, fmt.Errorf("fold rows that meet: %w", err)
		}
	}
	return true, nil
}

// writeKeys writes the unique keys behind a savepoint, if there are any to write.
func (m *Merges) writeKeys(s *script, c Change, d Difference) bool {
	unique := c.Keys &^ (1<<contact.ContactID | 1<<contact.NameBirthZip)
	makes := c.New > 0 && unique != 0
	if !makes && d.fields&(keyBits|ownKeyBits) == 0 {
		return false
	}
	s.add("guard keys", "savepoint keys")
	if d.fields&keyBits != 0 {
		m.byPlace(s, func() { s.add("release keys", m.sql.ReleaseKeys, c.Job.Account) })
	}
	if d.fields&ownKeyBits != 0 {
		m.byPlace(s, func() { s.add("release own keys", m.sql.ReleaseOwnKeys, c.Job.Account) })
		s.add("write changed own keys", m.sql.WriteChangedOwnKeys, c.Job.Account)
	}
	if d.fields&keyBits != 0 {
		s.add("write changed keys", m.sql.WriteChangedKeys, c.Job.Account)
	}
	if makes {
		s.add("write new keys", m.hot(c).WriteNewKeys, c.Job.Account, int32(unique))
	}
	return true
}

// block undoes what was done since the savepoint and takes out the rows that were in the way. It returns their number and
// how many rows are left that make contacts, and that change them.
func (m *Merges) block(ctx context.Context, tx pgx.Tx, c Change, refused error) (blocked, added, changes int64, err error) {
	if _, err := tx.Exec(ctx, "rollback to savepoint keys", pgx.QueryExecModeSimpleProtocol); err != nil { // nothing can be prepared before
		return 0, 0, 0, errors.Join(refused, err)
	}
	var s script
	s.read("block rows", func(r pgx.Row) error { return r.Scan(&blocked) }, m.sql.BlockRows, c.Job.Account)
	s.read("count rows that are left", func(r pgx.Row) error { return r.Scan(&added, &changes) }, m.sql.CountLeft)
	if err := s.run(ctx, tx); err != nil {
		return 0, 0, 0, errors.Join(refused, err)
	}
	if blocked == 0 {
		return 0, 0, 0, refused
	}
	return blocked, added, changes, nil
}

// write makes contacts of the rows that are new, changes the others, and puts all on the list.
func (m *Merges) write(s *script, c Change, d Difference, added int64) {
	if added > 0 {
		s.add("write new contacts", m.hot(c).WriteNewContacts, c.Job.Account, c.Job.ID)
		if c.Keys&(1<<contact.NameBirthZip) != 0 {
			s.add("write new fallback keys", m.sql.WriteNewFallbacks, c.Job.Account)
		}
		s.add("write held", m.sql.WriteHeld, c.Job.Account, added)
	}
	if d.changes > 0 {
		m.byPlace(s, func() {
			s.all("write journal", d.changes, m.hot(c).WriteJournal, c.Job.Account, c.Job.ID)
			if d.fields&fallbackBits != 0 {
				s.add("release fallback keys", m.sql.ReleaseFallbacks, c.Job.Account)
			}
		})
		if d.fields&fallbackBits != 0 {
			s.add("write changed fallback keys", m.sql.WriteChangedFallbacks, c.Job.Account)
		}
		m.byPlace(s, func() {
			s.all("write changed contacts", d.changes, m.hot(c).WriteChangedContacts, c.Job.Account, c.Job.Number)
			if d.met {
				sql := m.sql.WriteMetOrigins
				if d.fields&ownBit != 0 {
					sql = m.sql.WriteMetOwnOrigins
				}
				s.add("write origins of contacts where rows met", sql, c.Job.Account, c.Job.Number)
			}
		})
	}
	if c.List != "" {
		s.add("make list", m.sql.MakeList, c.Job.Account, uuid.Must(uuid.NewV7()), c.List, c.Job.ID)
		s.add("write list", m.sql.WriteList, c.Job.Account, c.List, c.Job.ID, c.Rows)
	}
}

// What join_settings.sql knows.
const (
	byRows  = "rows"
	byPlace = "place"
)

// byPlace adds statements that find what they write by its place.
func (m *Merges) byPlace(s *script, add func()) {
	s.add("set up joins", m.sql.JoinSettings, byPlace)
	add()
	s.add("set up joins", m.sql.JoinSettings, byRows)
}

// renewNames makes the fallback keys of contacts that get a part of theirs from the row and have the rest. sql reads those.
func (m *Merges) renewNames(ctx context.Context, tx pgx.Tx, ring *keyring.Keyring, account uuid.UUID, sql string, args ...any) error {
	if _, err := tx.Exec(ctx, "declare names no scroll cursor for "+sql, append([]any{pgx.QueryExecModeExec}, args...)...); err != nil {
		return fmt.Errorf("read names: %w", err)
	}
	h := ring.Hasher()
	var text []byte
	for {
		found, err := tx.Query(ctx, fmt.Sprintf("fetch %d from names", namesBatch))
		if err != nil {
			return fmt.Errorf("read names: %w", err)
		}
		var rows []int64
		var hashes []*uuid.UUID
		var row int64
		var first, last, birth, zip *string
		_, err = pgx.ForEachRow(found, []any{&row, &first, &last, &birth, &zip}, func() error {
			rows = append(rows, row)
			hashes = append(hashes, nil)
			if first == nil || last == nil || birth == nil || zip == nil {
				return nil
			}
			d, code := contact.ParseDate([]byte(*birth), contact.DateRules{})
			if code != "" {
				return fmt.Errorf("birth date of row %d cannot be read", row)
			}
			key, ok := contact.AppendNameBirthZip(text[:0], []byte(*first), []byte(*last), d, []byte(*zip))
			if ok {
				hash := uuid.UUID(h.Hash(account, uint8(contact.NameBirthZip), key))
				hashes[len(hashes)-1] = &hash
			}
			text = key
			return nil
		})
		if err != nil {
			return fmt.Errorf("read names: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		if _, err := tx.Exec(ctx, m.sql.WriteNames, rows, hashes); err != nil {
			return fmt.Errorf("write names: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, "close names"); err != nil {
		return fmt.Errorf("read names: %w", err)
	}
	return nil
}

// Blocked gives the rows that would have taken a key of another contact, with that contact.
func (m *Merges) Blocked(ctx context.Context, tx pgx.Tx) (map[int64]uuid.UUID, error) {
	rows, err := tx.Query(ctx, m.sql.ReadBlockedRows)
	if err != nil {
		return nil, fmt.Errorf("read blocked rows: %w", err)
	}
	blocked := map[int64]uuid.UUID{}
	var row int64
	var other uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&row, &other}, func() error { blocked[row] = other; return nil })
	if err != nil {
		return nil, fmt.Errorf("read blocked rows: %w", err)
	}
	return blocked, nil
}

// PackageTooSmall is the refusal that names both numbers, in the words in which matching refuses too.
func PackageTooSmall(held, added, most int64) error {
	return fault.New(fault.Precondition, CodePackage, "The package allows %d contacts; the account holds %d and the file brings %d new ones.", most, held, added).
		Hint("Enlarge the package or hand in fewer new contacts, then retry the job.")
}

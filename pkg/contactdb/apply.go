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
	New   bool  // some make contacts
	Known bool  // some change contacts
	Meet  bool  // several may change the same contact
	Keys  uint8 // keys that a new one may have, bit n for key n
	List  string
	Rows  int64            // of the file, for positions on the list
	Ring  *keyring.Keyring // makes fallback keys
}

// Plan compares the rows that were staged with their contacts and keeps what differs, for [Merges.Changed]. It writes
// nothing that stays: this is all that a check does.
func (m *Merges) Plan(ctx context.Context, tx pgx.Tx, c Change) error {
	if !c.Known {
		return nil
	}
	if _, err := m.fold(ctx, tx, c); err != nil {
		return err
	}
	_, _, err := m.compare(ctx, tx, c)
	return err
}

// Apply does what the staged rows say, under the account's lock. most is how many contacts the account may hold; if
// there would be more, the error has the code [CodePackage]. After any error the transaction is to be rolled back.
func (m *Merges) Apply(ctx context.Context, tx pgx.Tx, c Change, held, most int64) error {
	var changes int64
	var fields uint64
	var met bool
	var err error
	if c.Known {
		if met, err = m.fold(ctx, tx, c); err != nil {
			return err
		}
		if changes, fields, err = m.compare(ctx, tx, c); err != nil {
			return err
		}
	}
	if fields&fallbackBits != 0 {
		if err := m.renewNames(ctx, tx, c); err != nil {
			return err
		}
	}
	if err := m.writeKeys(ctx, tx, c, fields); err != nil {
		return err
	}
	if c.New {
		if err := m.add(ctx, tx, c, held, most); err != nil {
			return err
		}
	}
	if changes > 0 {
		if err := m.change(ctx, tx, c, fields, met); err != nil {
			return err
		}
	}
	if c.List != "" {
		if err := m.join(ctx, tx, c); err != nil {
			return fmt.Errorf("join list: %w", err)
		}
	}
	return nil
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
	for _, sql := range []string{m.sql.FoldMet, m.sql.DropFolded} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return false, fmt.Errorf("fold rows that meet: %w", err)
		}
	}
	return true, nil
}

func (m *Merges) compare(ctx context.Context, tx pgx.Tx, c Change) (changes int64, fields uint64, err error) {
	var bits int64
	if err := tx.QueryRow(ctx, m.sql.Compare, c.Job.Account).Scan(&changes, &bits); err != nil {
		return 0, 0, fmt.Errorf("compare with contacts: %w", err)
	}
	return changes, uint64(bits), m.measure(ctx, tx, m.sql.MeasureChanged, changes)
}

// writeKeys writes the unique keys. It tries first and looks for rows in each other's way only if the index
// refuses, as matching has seen to it that there are none unless its result is wrong by now.
func (m *Merges) writeKeys(ctx context.Context, tx pgx.Tx, c Change, fields uint64) error {
	unique := c.Keys &^ (1<<contact.ContactID | 1<<contact.NameBirthZip)
	if !(c.New && unique != 0) && fields&keyBits == 0 {
		return nil
	}
	for range mostBlocks {
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			if fields&keyBits != 0 {
				if _, err := tx.Exec(ctx, m.sql.ReleaseKeys, c.Job.Account); err != nil {
					return fmt.Errorf("release keys: %w", err)
				}
				if _, err := tx.Exec(ctx, m.sql.WriteChangedKeys, c.Job.Account); err != nil {
					return fmt.Errorf("write changed keys: %w", err)
				}
			}
			if c.New && unique != 0 {
				if _, err := tx.Exec(ctx, m.sql.WriteNewKeys, c.Job.Account, int32(unique)); err != nil {
					return fmt.Errorf("write new keys: %w", err)
				}
			}
			return nil
		})
		if err == nil {
			return nil
		}
		if !errors.Is(postgres.Map(err), fault.Exists) {
			return err
		}
		if _, err := tx.Exec(ctx, m.sql.BlockRows, c.Job.Account); err != nil {
			return fmt.Errorf("block rows: %w", err)
		}
	}
	return fault.New(fault.Internal, "keys-collide", "keys of rows collide and none of them is in the way")
}

// add makes contacts of the rows that are new.
func (m *Merges) add(ctx context.Context, tx pgx.Tx, c Change, held, most int64) error {
	var added int64
	if err := tx.QueryRow(ctx, m.sql.CountNew).Scan(&added); err != nil {
		return fmt.Errorf("count new contacts: %w", err)
	}
	if added == 0 {
		return nil
	}
	if held+added > most {
		return PackageTooSmall(held, added, most)
	}
	if _, err := tx.Exec(ctx, m.sql.WriteNewContacts, c.Job.Account, c.Job.ID); err != nil {
		return fmt.Errorf("write new contacts: %w", err)
	}
	if c.Keys&(1<<contact.NameBirthZip) != 0 {
		if _, err := tx.Exec(ctx, m.sql.WriteNewFallbacks, c.Job.Account); err != nil {
			return fmt.Errorf("write new fallback keys: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, m.sql.WriteHeld, c.Job.Account, added); err != nil {
		return fmt.Errorf("write held: %w", err)
	}
	return nil
}

// change writes the journal and then the new values.
func (m *Merges) change(ctx context.Context, tx pgx.Tx, c Change, fields uint64, met bool) error {
	if _, err := tx.Exec(ctx, m.sql.WriteJournal, c.Job.Account, c.Job.ID); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if fields&fallbackBits != 0 {
		if _, err := tx.Exec(ctx, m.sql.ReleaseFallbacks, c.Job.Account); err != nil {
			return fmt.Errorf("release fallback keys: %w", err)
		}
		if _, err := tx.Exec(ctx, m.sql.WriteChangedFallbacks, c.Job.Account); err != nil {
			return fmt.Errorf("write changed fallback keys: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, m.sql.WriteChangedContacts, c.Job.Account, c.Job.Number); err != nil {
		return fmt.Errorf("write changed contacts: %w", err)
	}
	if met {
		if _, err := tx.Exec(ctx, m.sql.WriteMetOrigins, c.Job.Account, c.Job.Number); err != nil {
			return fmt.Errorf("write origins of contacts where rows met: %w", err)
		}
	}
	return nil
}

// renewNames makes the fallback keys of contacts that get a part of theirs from the row and have the rest.
func (m *Merges) renewNames(ctx context.Context, tx pgx.Tx, c Change) error {
	if _, err := tx.Exec(ctx, "declare names no scroll cursor for "+m.sql.ReadNames, pgx.QueryExecModeExec, c.Job.Account); err != nil {
		return fmt.Errorf("read names: %w", err)
	}
	h := c.Ring.Hasher()
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
				hash := uuid.UUID(h.Hash(c.Job.Account, uint8(contact.NameBirthZip), key))
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

// join puts the contacts of the staged rows on the list, which it makes if it is not there.
func (m *Merges) join(ctx context.Context, tx pgx.Tx, c Change) error {
	if _, err := tx.Exec(ctx, m.sql.MakeList, c.Job.Account, uuid.Must(uuid.NewV7()), c.List); err != nil {
		return fmt.Errorf("make list: %w", err)
	}
	var list uuid.UUID
	var last int64
	if err := tx.QueryRow(ctx, m.sql.ListOfName, c.Job.Account, c.List).Scan(&list, &last); err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	tag, err := tx.Exec(ctx, m.sql.WriteMembers, c.Job.Account, list, last+1, c.Job.ID)
	if err != nil {
		return fmt.Errorf("write members: %w", err)
	}
	if _, err := tx.Exec(ctx, m.sql.WriteList, c.Job.Account, list, tag.RowsAffected(), last+c.Rows); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	return nil
}

// Changed gives the rows that changed their contact, in their order.
func (m *Merges) Changed(ctx context.Context, tx pgx.Tx) (*RowList, error) {
	return m.readRows(ctx, tx, m.sql.ReadChangedRows)
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

// RowList is numbers of rows as they come from the database.
type RowList struct {
	rows pgx.Rows
	at   int64
	ok   bool
}

func (m *Merges) readRows(ctx context.Context, tx pgx.Tx, sql string) (*RowList, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	l := &RowList{rows: rows, ok: true}
	return l, l.step()
}

// Has tells whether row is in the list; rows must be asked in growing order.
func (l *RowList) Has(row int64) (bool, error) {
	for l.ok && l.at < row {
		if err := l.step(); err != nil {
			return false, err
		}
	}
	return l.ok && l.at == row, nil
}

func (l *RowList) step() error {
	if !l.rows.Next() {
		l.ok = false
		if err := l.rows.Err(); err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
		return nil
	}
	if err := l.rows.Scan(&l.at); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return nil
}

// Close gives the connection back to the transaction.
func (l *RowList) Close() { l.rows.Close() }

package contactdb

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// Policies say which words of a job's rows are not followed at contacts that are known. A word on a field is judged by the
// contact as it was before the job, and one that would change nothing is never withheld. The zero value follows all but
// those that bring back what a person replaced.
type Policies struct {
	Never, IfEmpty, Newest          uint64 // standard fields under a rule, bit n for field number n
	NeverOwn, IfEmptyOwn, NewestOwn []contact.Field
	HandMade                        HandMade
	AsOf                            time.Time // when the rows that say nothing of it were so: the rule newest goes by it
}

// HandMade is what a file may do to a value that a person gave. Clearing it is not asked about.
type HandMade uint8

// What a file may do; the zero value is the default.
const (
	NewValues HandMade = iota // replace it with a value that the contact is not known to have had
	Keep                      // nothing
	Replace                   // replace it with any value
)

// keptReasons are the reasons for which words are not followed, by their numbers in the table kept.
var keptReasons = [...]string{1: string(finding.KeptByRule), 2: string(finding.ConsentKept), 3: string(finding.NewerHere)}

// wordsBatch is how many words are compared at once with what people replaced.
const wordsBatch = 5_000

// ruled tells whether a rule may withhold a word.
func (p *Policies) ruled() bool {
	return p.Never|p.IfEmpty|p.Newest != 0 || len(p.NeverOwn)+len(p.IfEmptyOwn)+len(p.NewestOwn) > 0
}

// withholds tells whether a word may be withheld for another reason than consent. If not, the job pays for nothing of this.
func (c *Change) withholds() bool {
	return c.Known && (c.Policies.ruled() || c.Edited && c.Policies.HandMade != Replace)
}

// withhold takes the words that are not followed out of the staged rows, with the keys that they make, and notes them as kept.
func (m *Merges) withhold(ctx context.Context, tx pgx.Tx, c Change) error {
	if !c.withholds() {
		return nil
	}
	if err := m.makeOwn(ctx, tx); err != nil {
		return err
	}
	p := &c.Policies
	var found int64
	if p.ruled() || p.HandMade == Keep {
		keep := c.Edited && p.HandMade == Keep
		tag, err := tx.Exec(ctx, m.sql.FindRuled, c.Job.Account, int64(p.Never), int64(p.IfEmpty), int64(p.Newest), keep, nullTime(p.AsOf))
		if err != nil {
			return fmt.Errorf("find values that stay: %w", err)
		}
		found = tag.RowsAffected()
		if len(c.Own) > 0 {
			tag, err := tx.Exec(ctx, m.sql.FindRuledOwn, c.Job.Account, ownNames(p.NeverOwn), ownNames(p.IfEmptyOwn), ownNames(p.NewestOwn), keep, nullTime(p.AsOf))
			if err != nil {
				return fmt.Errorf("find own values that stay: %w", err)
			}
			found += tag.RowsAffected()
		}
	}
	if c.Edited && p.HandMade == NewValues {
		n, err := m.findReplaced(ctx, tx, c)
		if err != nil {
			return err
		}
		found += n
	}
	if found == 0 {
		return nil
	}
	if err := m.measure(ctx, tx, m.sql.MeasureKept, found); err != nil {
		return err
	}
	keys, bits := ownKeys(c.Own)
	if _, err := tx.Exec(ctx, m.sql.ClearWithheld, keys, bits); err != nil {
		return fmt.Errorf("take out words that are not followed: %w", err)
	}
	if guarded := ownNumbers(c.Own, contact.TypeAuthorisation); len(guarded) > 0 {
		if _, err := tx.Exec(ctx, m.sql.JudgeConsent, c.Job.Account, guarded); err != nil {
			return fmt.Errorf("judge withdrawn authorisations: %w", err)
		}
	}
	return nil
}

// findReplaced notes the words that bring back what a person replaced. Values that are no keys have their hashes made here.
func (m *Merges) findReplaced(ctx context.Context, tx pgx.Tx, c Change) (found int64, err error) {
	keys, numbers := ownKeyNumbers(c.Own)
	if _, err := tx.Exec(ctx, "declare words no scroll cursor for "+m.sql.ReadHandMade, pgx.QueryExecModeExec, c.Job.Account, keys, numbers); err != nil {
		return 0, fmt.Errorf("read words on values that people gave: %w", err)
	}
	h := c.Ring.Hasher()
	var own OwnValues
	for {
		answer, err := tx.Query(ctx, fmt.Sprintf("fetch %d from words", wordsBatch))
		if err != nil {
			return 0, fmt.Errorf("read words on values that people gave: %w", err)
		}
		var rows []int64
		var contacts []uuid.UUID
		var fields []int32
		read := 0
		var row int64
		var id uuid.UUID
		var field int32
		var hash uuid.NullUUID
		var value *string
		var replaced []string
		_, err = pgx.ForEachRow(answer, []any{&row, &id, &field, &hash, &value, &replaced}, func() error {
			read++
			f := contact.Field(field)
			switch {
			case hash.Valid:
			case f < contact.FirstCustom:
				hash.UUID = h.Hash(c.Job.Account, replacedKind+uint8(f), []byte(*value))
			default:
				hash.UUID = own.Hash(h, c.Job.Account, f, []byte(*value))
			}
			if slices.Contains(replaced, hex.EncodeToString(hash.UUID[:])) {
				rows, contacts, fields = append(rows, row), append(contacts, id), append(fields, field)
			}
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("read words on values that people gave: %w", err)
		}
		if read == 0 {
			break
		}
		if len(rows) > 0 {
			if _, err := tx.Exec(ctx, m.sql.WriteReplaced, rows, contacts, fields); err != nil {
				return 0, fmt.Errorf("note values that people gave: %w", err)
			}
			found += int64(len(rows))
		}
	}
	if _, err := tx.Exec(ctx, "close words"); err != nil {
		return 0, fmt.Errorf("read words on values that people gave: %w", err)
	}
	return found, nil
}

// ownNames are numbers of own fields as text; never nil.
func ownNames(fields []contact.Field) []string {
	names := []string{}
	for _, f := range fields {
		names = append(names, OwnName(f))
	}
	return names
}

// ownKeyNumbers are the unique ones among own fields: their numbers as text, and the numbers of their keys.
func ownKeyNumbers(own []contact.Spec) (names []string, keys []int16) {
	names, keys = []string{}, []int16{}
	for i := range own {
		if k := own[i].Key; k != contact.NoKey {
			names, keys = append(names, OwnName(own[i].Number)), append(keys, int16(k))
		}
	}
	return names, keys
}

package accounts

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/fault"
)

// fields reads an account's own fields with their code books, in the order of their numbers; retired ones are left out.
func (s *store) fields(ctx context.Context, id uuid.UUID) ([]field, error) {
	var fields []field
	b := &pgx.Batch{}
	s.queueFields(b, id, &fields)
	if err := s.db.Read(ctx, id, b); err != nil {
		return nil, fmt.Errorf("read fields of account %s: %w", id, err)
	}
	return fields, nil
}

func (s *store) queueFields(b *pgx.Batch, id uuid.UUID, fields *[]field) {
	b.Queue(s.sql.OwnFields, id).Query(func(rows pgx.Rows) (err error) {
		*fields, err = pgx.CollectRows(rows, scanField)
		return err
	})
	b.Queue(s.sql.CodesOfAccount, id).Query(func(rows pgx.Rows) error {
		var n int32
		var c code
		at, all := 0, *fields
		_, err := pgx.ForEachRow(rows, []any{&n, &c.Code, &c.Label, &c.Retired}, func() error {
			for at < len(all) && all[at].Number < n {
				at++
			}
			if at < len(all) && all[at].Number == n { // else the field was made between the two questions
				all[at].Codes = append(all[at].Codes, c)
			}
			return nil
		})
		return err
	})
}

// createField makes the field and fills in its number, its key if it is unique, and when it was made.
func (s *store) createField(ctx context.Context, by actor, id uuid.UUID, f *field, unique bool) error {
	return s.changeFields(ctx, id, func(ctx context.Context, tx pgx.Tx, all []field) error {
		if len(all) >= mostFields {
			return fault.New(fault.Precondition, "too-many-fields", "an account has at most %d fields of its own", mostFields).
				Hint("delete one that is no longer needed")
		}
		words := standardCalled()
		for i := range all {
			if all[i].Name == f.Name {
				return fault.New(fault.Exists, "field-exists", "there is already a field %s", f.Name)
			}
			if err := words.claim(&all[i]); err != nil {
				return err
			}
		}
		if err := words.claim(f); err != nil {
			return err
		}
		if err := s.number(ctx, tx, id, f, unique); err != nil {
			return err
		}
		if err := fits(append(all, *f)); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, s.sql.InsertField, id, f.Number, f.Name, f.Label, string(f.Type), f.Required, f.Key, f.MaxLength, f.Headings).Scan(&f.CreatedAt)
		if err != nil {
			return err
		}
		if len(f.Codes) > 0 {
			all := make([]int32, len(f.Codes))
			for i := range all {
				all[i] = int32(i + 1)
			}
			if err := s.putCodes(ctx, tx, id, f, all); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, by, id, "field.created", id, []string{f.Name})
	})
}

// number gives the field a number, and a key if it is unique, that no field of the account ever had.
func (s *store) number(ctx context.Context, tx pgx.Tx, id uuid.UUID, f *field, unique bool) error {
	var last int32
	var key int16
	if err := tx.QueryRow(ctx, s.sql.NumbersGiven, id).Scan(&last, &key); err != nil {
		return err
	}
	if last >= lastNumber {
		return fault.New(fault.Precondition, "too-many-fields", "an account makes at most %d fields, deleted ones among them", lastNumber-firstNumber+1)
	}
	f.Number = last + 1
	if !unique {
		return nil
	}
	if key+1 >= firstKey+mostUnique {
		return fault.New(fault.Precondition, "too-many-unique-fields", "an account makes at most %d unique fields, deleted ones among them", mostUnique).
			Hint("contacts keep the keys of a deleted field, so they cannot be given to another; make this one without unique")
	}
	f.Key = key + 1
	return nil
}

// updateField changes a field and returns it as it then is.
func (s *store) updateField(ctx context.Context, by actor, id uuid.UUID, name string, c fieldChange) (field, error) {
	var f field
	err := s.changeFields(ctx, id, func(ctx context.Context, tx pgx.Tx, all []field) error {
		i, err := find(all, name)
		if err != nil {
			return err
		}
		set, err := c.apply(&all[i])
		if err != nil {
			return err
		}
		words := standardCalled()
		for j := range all {
			if j != i {
				if err := words.claim(&all[j]); err != nil {
					return err
				}
			}
		}
		if err := words.claim(&all[i]); err != nil {
			return err
		}
		if err := fits(all); err != nil {
			return err
		}
		f = all[i]
		if _, err := tx.Exec(ctx, s.sql.UpdateField, id, f.Number, f.Label, f.Required, f.MaxLength, f.Headings); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, id, "field.changed", id, append([]string{name}, set...))
	})
	return f, err
}

// retireField takes a field out of use, and out of the account's policies. Its row stays, and with it number and key.
func (s *store) retireField(ctx context.Context, by actor, id uuid.UUID, name string) error {
	err := s.changeAccount(ctx, id, func(ctx context.Context, tx pgx.Tx, a account, all []field) error {
		i, err := find(all, name)
		if err != nil {
			return err
		}
		p, changed, err := a.Policies.without(&all[i])
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.sql.RetireField, id, all[i].Number); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, by, id, "field.deleted", id, []string{name}); err != nil || len(changed) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, s.sql.SetPolicies, id, p.Rules, p.MatchBy); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, id, "account.changed", id, changed)
	})
	if err != nil {
		return fmt.Errorf("take field out of use in account %s: %w", id, err)
	}
	return nil
}

// setCodes adds codes to a field's book, or changes those that it has, and returns the field as it then is.
func (s *store) setCodes(ctx context.Context, by actor, id uuid.UUID, name string, codes []code) (field, error) {
	var f field
	err := s.changeFields(ctx, id, func(ctx context.Context, tx pgx.Tx, all []field) error {
		i, err := find(all, name)
		if err != nil {
			return err
		}
		touched, err := all[i].put(codes)
		if err != nil {
			return err
		}
		if err := fits(all); err != nil {
			return err
		}
		f = all[i]
		if err := s.putCodes(ctx, tx, id, &f, touched); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, id, "codes.set", id, []string{name})
	})
	return f, err
}

// putCodes stores the lines of the field's book that stand at the places given, from 1.
func (s *store) putCodes(ctx context.Context, tx pgx.Tx, id uuid.UUID, f *field, places []int32) error {
	words, labels, retired := make([]string, len(places)), make([]string, len(places)), make([]bool, len(places))
	for i, at := range places {
		c := f.Codes[at-1]
		words[i], labels[i], retired[i] = c.Code, c.Label, c.Retired
	}
	_, err := tx.Exec(ctx, s.sql.PutCodes, id, f.Number, words, labels, retired, places)
	return err
}

// changeFields does one change of an account's fields at a time, with all of them as they are.
func (s *store) changeFields(ctx context.Context, id uuid.UUID, do func(context.Context, pgx.Tx, []field) error) error {
	err := s.changeAccount(ctx, id, func(ctx context.Context, tx pgx.Tx, _ account, all []field) error { return do(ctx, tx, all) })
	if err != nil {
		return fmt.Errorf("change fields of account %s: %w", id, err)
	}
	return nil
}

// changeAccount does one change of an account, or of its fields, at a time, with both as they are. Its error is NotFound
// if there is no such account.
func (s *store) changeAccount(ctx context.Context, id uuid.UUID, do func(context.Context, pgx.Tx, account, []field) error) error {
	return s.db.InAccount(ctx, id, func(ctx context.Context, tx pgx.Tx) error {
		a, err := one(ctx, tx, scanAccount, s.sql.LockAccount, id)
		if err != nil {
			return missing("account", id, err)
		}
		var own []field
		b := &pgx.Batch{}
		s.queueFields(b, id, &own)
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		return do(ctx, tx, a, own)
	})
}

// fits refuses fields that are too large to be sent as one message, be it as they are or as a code book, each line of
// which names its field.
func fits(all []field) error {
	size := 0
	for i := range all {
		size += proto.Size(fromField(all[i])) + len(all[i].Codes)*(len(all[i].Name)+len(",,,false\r\n"))
	}
	if size > mostFieldsBytes {
		return fault.New(fault.Precondition, "fields-too-large", "the fields of an account and their code books take at most %d bytes in all; these would take %d", mostFieldsBytes, size).
			Hint("shorten labels, or delete a field that is no longer needed")
	}
	return nil
}

func find(all []field, name string) (int, error) {
	i := slices.IndexFunc(all, func(f field) bool { return f.Name == name })
	if i < 0 {
		return i, fault.New(fault.NotFound, "unknown-field", "the account has no field %.80q of its own", name).
			Hint("contactmill fields list shows all fields")
	}
	return i, nil
}

func scanField(row pgx.CollectableRow) (f field, err error) {
	err = row.Scan(&f.Number, &f.Name, &f.Label, (*string)(&f.Type), &f.Required, &f.Key, &f.MaxLength, &f.Headings, &f.CreatedAt)
	return f, err
}

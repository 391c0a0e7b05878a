package contactdb

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// forms are the texts of statements by their names, with every form that lines marked for some of their users give them.
func (s *undoStatements) forms() map[string]string {
	all := map[string]string{}
	var add func(of string, v reflect.Value)
	add = func(of string, v reflect.Value) {
		for i := range v.NumField() {
			name, f := v.Type().Field(i).Name, v.Field(i)
			switch {
			case v.Type().Field(i).Anonymous:
				add(of, f)
			case f.Kind() == reflect.Struct:
				add(name+" ", f)
			case f.String() != "":
				all[of+name] = f.String()
			}
		}
	}
	add("", reflect.ValueOf(s).Elem())
	return all
}

func TestEveryStatementOfUndosIsValidForItsRole(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, Schema).Open(t, "merge", "contacts")
	m, err := NewMerges(db)
	if err != nil {
		t.Fatal(err)
	}
	forms := m.undo.forms()
	for name, sql := range map[string]string{"a job's own": m.own.WriteChangedContacts, "a job's plain": m.plain.WriteChangedContacts} {
		forms[name] = sql
	}
	if len(forms) < 40 {
		t.Errorf("%d statements, there are more", len(forms))
	}
	for name, text := range forms {
		err := db.InAccount(t.Context(), uuid.New(), func(ctx context.Context, tx pgx.Tx) error {
			for _, sql := range []string{m.sql.MakeStaged, m.sql.MakeChanged, m.sql.MakeChangedOwn, m.undo.MakeWas, m.undo.MakeEarlier, m.undo.MakeUndone, m.undo.MakeWanted} {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			if strings.HasPrefix(name, "Make") && name != "MakeListAgain" || strings.HasPrefix(name, "Measure") {
				return nil
			}
			_, err := tx.Prepare(ctx, fmt.Sprintf("check %s", name), text)
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

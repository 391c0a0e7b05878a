package contactdb

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

func TestEveryStatementOfPlansIsValidForItsRole(t *testing.T) {
	t.Parallel()
	db := postgrestest.DB(t, Schema).Open(t, "merge", "contacts")
	m, err := NewMerges(db)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"effects": m.plans.ReadEffects, "effects with own fields": m.plans.ownEffects, "hold": m.plans.HoldRows, "left": m.plans.ReadLeft} {
		err := db.InAccount(t.Context(), uuid.New(), func(ctx context.Context, tx pgx.Tx) error {
			made := []string{m.sql.MakeStaged, m.sql.MakeChanged, m.sql.MakeMet}
			if name == "effects with own fields" { // only jobs with own fields have their table
				made = append(made, m.sql.MakeChangedOwn)
			}
			for _, sql := range made {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			_, err := tx.Prepare(ctx, "check "+name, text)
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package contactdb

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
)

// said is a job's word on a field.
type said struct {
	number, line, seconds int
	dated                 bool // the row said as of when it is
}

// originsOf writes origins as the column has them, from which job spoke of a field last, and on which a person did since.
func originsOf(last map[contact.Field]said, edited map[contact.Field]bool) map[string]any {
	type job struct{ number, line int }
	all, fields, own, seconds := map[string]any{}, map[job]float64{}, map[job][]any{}, map[job]any{}
	for _, f := range slices.Sorted(maps.Keys(last)) {
		s := last[f]
		j := job{s.number, s.line}
		fields[j] += 0
		if f < contact.FirstCustom {
			fields[j] += float64(uint64(1) << f)
		} else {
			own[j] = append(own[j], float64(f))
		}
		if s.dated {
			seconds[j] = float64(s.seconds)
		}
	}
	for f := range edited {
		all[columnName(f)] = map[string]any{"by": "x"}
	}
	var jobs []any
	for _, j := range slices.SortedFunc(maps.Keys(fields), func(a, b job) int {
		return (a.number-b.number)*1000 + a.line - b.line
	}) {
		e := []any{fields[j], float64(j.number), float64(j.line)}
		var names any
		if own[j] != nil {
			names = own[j]
		}
		switch {
		case seconds[j] != nil:
			e = append(e, names, seconds[j])
		case names != nil:
			e = append(e, names)
		}
		jobs = append(jobs, e)
	}
	if jobs != nil {
		all["jobs"] = jobs
	}
	return all
}

// However jobs and persons change fields one after the other, origins name each field once, with who spoke of it last, in the
// order of the jobs' numbers and lines.
func TestOriginsNameEachFieldOnce(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), postgrestest.DB(t, Schema).OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	fields := []contact.Field{contact.FieldFirstName, contact.FieldPhone, contact.FieldCity, contact.FieldVATNumber, 256, 257, 300}
	rapid.Check(t, func(t *rapid.T) {
		last, edited := map[contact.Field]said{}, map[contact.Field]bool{}
		numbers := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "numbers") // jobs that wait are overtaken
		var now []byte
		for _, number := range numbers[:rapid.IntRange(1, len(numbers)).Draw(t, "jobs")] {
			var bits uint64
			own, changes := map[string]any{}, []any{}
			left := slices.Clone(fields)
			for line := range rapid.IntRange(1, 3).Draw(t, "lines") {
				s := said{number: number, line: line + 2, seconds: rapid.IntRange(0, 1000).Draw(t, "seconds"), dated: rapid.Bool().Draw(t, "dated")}
				some := rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 1, 4, rapid.ID).Draw(t, "fields")
				entry := map[contact.Field]said{}
				for _, f := range some {
					if i := slices.Index(left, f); i >= 0 { // one line of a job is a field's last
						left = slices.Delete(left, i, i+1)
						last[f], entry[f] = s, s
						delete(edited, f)
						if f < contact.FirstCustom {
							bits |= 1 << f
						} else {
							own[OwnName(f)] = nil
						}
					}
				}
				if len(entry) > 0 {
					changes = append(changes, originsOf(entry, nil)["jobs"].([]any)[0])
				}
			}
			var ownArg any
			if len(own) > 0 {
				ownArg = own
			}
			if err := conn.QueryRow(t.Context(), "select contacts.origins_with($1::jsonb, $2::bigint, $3::jsonb, $4::jsonb)", now, int64(bits), ownArg, changes).Scan(&now); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "a person edits") {
				f := rapid.SampledFrom(fields).Draw(t, "edited")
				edited[f] = true
				if err := conn.QueryRow(t.Context(), `select $1::jsonb || jsonb_build_object($2::text, '{"by": "x"}'::jsonb)`, now, columnName(f)).Scan(&now); err != nil {
					t.Fatal(err)
				}
			}
		}
		var got map[string]any
		if err := json.Unmarshal(now, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(originsOf(last, edited), got); diff != "" {
			t.Fatalf("origins (-want +got):\n%s", diff)
		}
	})
}

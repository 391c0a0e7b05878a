package merge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/row"
)

// However many rows are held, all that is staged is gone through once for them: it has no index, and the account waits meanwhile.
func TestManyRowsAreHeldInOneGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 6_000
	of := func(city string) file {
		f := file{mode: row.Upsert, head: []string{"email", "city"}}
		for i := range n {
			f.rows = append(f.rows, []string{fmt.Sprintf("p%d@x.io", i), city})
		}
		return f
	}
	w.run(t, of("Rome"))
	c, _ := w.plans(t, of("Oslo"))
	w.run(t, of("Bern"))
	p := &planned{plans: map[string][]string{}}
	w.explained(t, p)
	if r := w.carryOut(t, c); r.Counts.Held != n {
		t.Errorf("counts %v, want all rows held", r.Counts)
	}
	holds := 0
	for text, plans := range p.plans {
		if strings.Contains(text, "with held as") {
			holds += len(plans)
		}
	}
	if holds != 1 {
		t.Errorf("rows were taken out %d times", holds)
	}
	if got := w.query(t, "select string_agg(distinct city, ' ') from contacts.contacts"); got[0] != "Bern" {
		t.Errorf("cities %s, want what came before the approval", got[0])
	}
}

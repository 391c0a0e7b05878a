package ledger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/event"
	"github.com/contactmill/contactmill/pkg/fault"
)

// What people said is remembered by the columns of the file: the last word on each, and of one account.
func TestWhatWasSaidIsRemembered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	key := bytes.Repeat([]byte{1}, 32)
	n := 0
	validated := func(account uuid.UUID, s Settings, columns ...Column) {
		t.Helper()
		n++
		s.Mode = Upsert
		j := r.accept(account, fmt.Sprint(n), func(sub *Submission) { sub.Settings = s })
		r.complete(j, r.take(j, event.Validate), Result{Body: []byte{}, Columns: columns, HeadingsKey: key})
	}
	recall := func(account uuid.UUID) Remembered {
		t.Helper()
		n++
		j := r.accept(account, fmt.Sprint(n))
		k := r.take(j, event.Validate)
		got, err := r.Recall(t.Context(), account, k, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Cancel(t.Context(), account, Ref{ID: j.ID}); err != nil {
			t.Fatal(err)
		}
		_, err = r.Recall(t.Context(), account, k, key)
		wantFault(t, "recall of a cancelled job", err, fault.Stale, "stale")
		return got.Remembered
	}
	validated(a, Settings{})
	if got := recall(a); len(got.Mapping) != 0 {
		t.Fatalf("nobody said anything, recalled is %v", got)
	}
	validated(a, Settings{Mapping: map[string]string{"mail": "email", "#2": "phone", "#3": "city", "#4": "-"}, Values: Values{"colour": {"rot": "r", "blau": "b"}}},
		Column{Heading: "Mail", Field: "email", How: "said"}, Column{Heading: "Tel", Field: "phone", How: "said"}, Column{Heading: "X", Field: "city", How: "said"},
		Column{Heading: "x ", How: "said"}, Column{Heading: "Zip", Field: "zip", How: "name"})
	validated(a, Settings{Mapping: map[string]string{"Tel": "-"}, DateOrder: DMY, Check: true}, Column{Heading: " TEL", How: "said"})
	validated(a, Settings{Values: Values{"colour": {"rot": "x"}, "size": {"1": "one"}}})
	want := Remembered{Mapping: map[string]string{"mail": "email", "tel": "-", "#1 of x": "city", "#2 of x": "-"}, DateOrder: DMY, Values: Values{"colour": {"rot": "x", "blau": "b"}, "size": {"1": "one"}}}
	if d := cmp.Diff(want, recall(a)); d != "" {
		t.Errorf("recalled (-want +got):\n%s", d)
	}
	if got := recall(newAccount()); len(got.Mapping) != 0 {
		t.Errorf("another account is told %v", got)
	}
}

func TestTheOldestIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := newAccount()
	keyOf := func(i int) []byte { s := sha256.Sum256([]byte{byte(i), byte(i >> 8)}); return s[:] }
	for i := range mostRemembered {
		r.sql(`INSERT INTO ingest.remembered VALUES ($1, $2, '{}', 'DMY', '{}', now() - interval '1 day' + $3 * interval '1 second')`, a, keyOf(i), i)
	}
	j := r.accept(a, "one", func(s *Submission) { s.Settings.DateOrder = MDY })
	k := r.take(j, event.Validate)
	if got, err := r.LookUp(t.Context(), a, keyOf(1)); err != nil || got.DateOrder != DMY { // only looked at, so the oldest all the same
		t.Fatalf("looked up %v, %v", got, err)
	}
	if got, err := r.Recall(t.Context(), a, k, keyOf(0)); err != nil || got.DateOrder != DMY { // used now, so no longer the oldest
		t.Fatalf("recalled %v, %v", got, err)
	}
	r.complete(j, k, Result{Body: []byte{}, HeadingsKey: keyOf(mostRemembered)})
	k = r.take(r.accept(a, "two"), event.Validate)
	for i, want := range map[int]DateOrder{0: DMY, 1: "", 2: DMY, mostRemembered: MDY} {
		if got, err := r.Recall(t.Context(), a, k, keyOf(i)); err != nil || got.DateOrder != want {
			t.Errorf("of set %d recalled %v, %v, want %q", i, got, err, want)
		}
	}
}

package contactdb

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/postgres"
)

func TestStatementsForJobsWithoutOwnFieldsDoNotKnowThem(t *testing.T) {
	t.Parallel()
	sql, err := postgres.Queries[mergesSQL](mergesQueries, "apply")
	if err != nil {
		t.Fatal(err)
	}
	hot := reflect.ValueOf(sql.hot("plain", "job"))
	for i := range hot.NumField() {
		for line := range strings.Lines(hot.Field(i).String()) {
			if code, _, _ := strings.Cut(line, "--"); strings.Contains(code, "own") && !strings.Contains(code, "known") {
				t.Errorf("a job without own fields runs %q", line)
			}
		}
	}
}

func TestOwnValuesAreJSON(t *testing.T) {
	t.Parallel()
	var o OwnValues
	if got := o.JSON(); got != nil {
		t.Errorf("nothing is %q, want nil", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		o.Reset()
		want := map[contact.Field]ownValue{}
		for n := range rapid.IntRange(1, 5).Draw(t, "fields") {
			f := contact.FirstCustom + contact.Field(n)
			switch rapid.IntRange(0, 1).Draw(t, "kind") {
			case 0:
				text := rapid.String().Draw(t, "text")
				o.Text(f, []byte(text))
				want[f] = ownValue{text: text}
			case 1:
				o.Secret(f, [16]byte{1}, rapid.SliceOf(rapid.Byte()).Draw(t, "sealed"))
				want[f] = ownValue{text: Masked, hash: "AQAAAAAAAAAAAAAAAAAAAA", secret: true}
			}
		}
		if !json.Valid(o.JSON()) {
			t.Fatalf("no JSON: %q", o.JSON())
		}
		got, err := readOwn(o.JSON())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(ownValue{})); d != "" {
			t.Fatalf("what was read back (-want +got):\n%s", d)
		}
	})
}

func TestOwnValuesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`[]`, `{"x": "1"}`, `{"256": 7}`, `{"256": {"a": 1}}`, `{"70000": "1"}`} {
		if got, err := readOwn([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, got)
		}
	}
}

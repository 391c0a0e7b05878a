package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

func fieldsOfAnAccount() []*accountsv1.Field {
	return []*accountsv1.Field{
		{Name: "email", Label: "Email", Type: accountsv1.FieldType_FIELD_TYPE_STANDARD, Unique: true, MaxLength: 254, Number: 5, Standard: true},
		{Name: "card_no", Label: "Card", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Required: true, Unique: true, MaxLength: 40, Number: 256, Key: 8, Headings: []string{"Kundenkarte", hostile}},
		{Name: "colour", Label: "Colour", Type: accountsv1.FieldType_FIELD_TYPE_CRITERION, Number: 257, Codes: []*accountsv1.Code{{Code: "R", Label: "Red"}, {Code: "G", Label: hostile, Retired: true}}},
		{Name: "empty", Label: "Empty", Type: accountsv1.FieldType_FIELD_TYPE_CRITERIA, Number: 258},
	}
}

func TestFieldsAndCodes(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"fields", "list"}, 0},
		{[]string{"fields", "list", "--own", "-o", "json"}, 0},
		{[]string{"fields", "add", "shoe_size", "--label", "Size of shoes", "--type", "number", "--required", "--unique", "--heading", "EU size", "--heading", "Größe"}, 0},
		{[]string{"fields", "add", "note", "--max-length", "20", "-o", "jsonl"}, 0},
		{[]string{"fields", "add", "note", "--type", "standard"}, 2},
		{[]string{"fields", "add"}, 2},
		{[]string{"fields", "set", "card_no", "--label", "Loyalty card"}, 0},
		{[]string{"fields", "set", "nobody"}, 4},
		{[]string{"fields", "delete", "card_no"}, 0},
		{[]string{"fields", "delete", "nobody"}, 4},
		{[]string{"codes", "list"}, 0},
		{[]string{"codes", "list", "colour", "-o", "json"}, 0},
		{[]string{"codes", "list", "empty"}, 0},
		{[]string{"codes", "list", "email"}, 1},
		{[]string{"codes", "list", "nobody"}, 4},
		{[]string{"codes", "set", "colour", "R=Red", "B"}, 0},
		{[]string{"codes", "set", "colour", "=Red"}, 2},
		{[]string{"codes", "set", "colour"}, 2},
		{[]string{"codes", "retire", "colour", "R"}, 0},
		{[]string{"codes", "retire", "colour", "r"}, 4},
		{[]string{"codes", "export"}, 0},
		{[]string{"template"}, 0},
		{[]string{"template", "--format", "xlsx"}, 0},
		{[]string{"template", "--format", "pdf"}, 2},
		{[]string{"accounts", "set", "--legacy-encoding", "shift_jis"}, 0},
	} {
		s := newServer(t)
		s.fields = fieldsOfAnAccount()
		r := s.run(t, "", c.args...)
		if r.code != c.code || (r.code == 0) != (r.err == "") {
			t.Errorf("%q: code %d, want %d; %s", c.args, r.code, c.code, r.err)
		}
		if !slices.Contains(c.args, "json") && strings.ContainsAny(r.out+r.err, "\x1b\a\u202e\u200b\u009b") {
			t.Errorf("%q: a text turns the terminal: %q", c.args, r.out+r.err)
		}
		fmt.Fprintf(&all, "$ contactmill %s\n%s%s\n", strings.Join(c.args, " "), r.out, r.err)
	}
	golden(t, "fields.txt", all.String())
}

func TestWhatIsSetOfFields(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.fields = fieldsOfAnAccount()
	yes, no, label, length := true, false, "", int32(7)
	for _, c := range []struct {
		args []string
		want *accountsv1.UpdateFieldRequest
	}{
		{[]string{}, &accountsv1.UpdateFieldRequest{}},
		{[]string{"--label", "", "--required", "--max-length", "7"}, &accountsv1.UpdateFieldRequest{Label: &label, Required: &yes, MaxLength: &length}},
		{[]string{"--required=false", "--heading", "a,b", "--heading", "c"}, &accountsv1.UpdateFieldRequest{Required: &no, Headings: []string{"a,b", "c"}, SetHeadings: true}},
		{[]string{"--heading", ""}, &accountsv1.UpdateFieldRequest{SetHeadings: true}},
	} {
		c.want.Name = "card_no"
		r := s.run(t, "", append([]string{"fields", "set", "card_no"}, c.args...)...)
		if d := cmp.Diff(c.want, s.updated, protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("%q: %+v (-want +got):\n%s", c.args, r, d)
		}
	}
	for _, c := range []struct {
		args []string
		want *accountsv1.SetCodesRequest
	}{
		{[]string{"set", "colour", "R=Red=ish", "B"}, &accountsv1.SetCodesRequest{Field: "colour", Codes: []*accountsv1.Code{{Code: "R", Label: "Red=ish"}, {Code: "B"}}}},
		{[]string{"retire", "colour", "R"}, &accountsv1.SetCodesRequest{Field: "colour", Codes: []*accountsv1.Code{{Code: "R", Retired: true}}}},
	} {
		r := s.run(t, "", append([]string{"codes"}, c.args...)...)
		if d := cmp.Diff(c.want, s.coded, protocmp.Transform()); d != "" || r.code != 0 {
			t.Errorf("%q: %+v (-want +got):\n%s", c.args, r, d)
		}
	}
}

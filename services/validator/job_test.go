package validator

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/row"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// Own fields of every type are checked, normalised, sealed and recognised by like the standard ones.
func TestOwnFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := "Customer number,Turnover,Since,VIP,Colour,Colours,Newsletter,PIN\n" +
		"K1,\"1,234.50\",2020-01-31,yes,Red,g;r,T,4711-0815\n" +
		"K2,12.5,31/12/2021,x,purple,g|mauve,False,1\n" +
		"K3,abc,2020-02-30,perhaps,old,b,maybe,1234567890123\n" +
		"K4,UNSET,,,,,Empty,UNSET\n"
	r, rows := w.validate(job{file: file, account: &ingestv1.AccountSettings{Fields: own()}})
	want := []string{
		"2 customer_number=K1 turnover:=1234.5 since=2020-01-31 vip:=true colour:=r colours:=r;g newsletter:=True pin:=sealed:4711-0815/***",
		"3 INVALID !code-unknown@4<purple> !code-unknown@5<g|mauve>",
		"4 INVALID !number-invalid@1<abc> !date-impossible@2<2020-02-30> !boolean-invalid@3<perhaps> !code-retired@4<old> !authorisation-invalid@6<maybe>",
		"5 customer_number=K4 turnover=UNSET newsletter=Empty pin=UNSET",
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	unknown := []*ingestv1.UnknownValue{{Field: "colour", Value: "purple", Rows: 1, Lines: []int64{3}}, {Field: "colours", Value: "mauve", Rows: 1, Lines: []int64{3}}}
	if d := cmp.Diff(unknown, r.GetUnknownValues(), protocmp.Transform()); d != "" {
		t.Errorf("unknown values (-want +got):\n%s", d)
	}
	if r.GetKeys() != 1<<9 || r.GetInvalid() != 2 || r.GetRows() != 4 || len(r.GetHeadingsKey()) != 32 {
		t.Errorf("result %v", r)
	}
	if got := r.GetColumns()[2]; got.GetField() != "since" || got.GetHow() != "name" || got.GetDateOrder() != ingestv1.DateOrder_DATE_ORDER_DMY {
		t.Errorf("column %v", got)
	}
	if f := r.GetFile(); f.GetFormat() != "csv" || f.GetDelimiter() != "," || f.GetQuote() != `"` || f.GetLineEnd() != "LF" || f.GetHeadingLine() != 1 {
		t.Errorf("file %v", f)
	}
}

// What a person said that the values of a file mean is put in before they are checked, in the whole cell or in its parts.
func TestValuesAreMapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ledger.Remembered = &ingestv1.RecallMappingResponse{Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"ROT": "b", "gruen": "g"}}}}
	_, rows := w.validate(job{
		file:    "Customer number,Colour,Colours,VIP\nK1, Rot ,Rot;Grün,ja\nK2,gruen,alle,nie\nK3,nichts,r,\n",
		account: &ingestv1.AccountSettings{Fields: own()},
		settings: &ingestv1.ImportSettings{Values: map[string]*ingestv1.ValueMap{
			"colour":  {Values: map[string]string{"rot": "r", "nichts": ""}},
			"colours": {Values: map[string]string{"rot": "r", "grün": "Green", "alle": "r;g;b"}}, "vip": {Values: map[string]string{"nie": "false"}},
		}},
	})
	want := []string{
		"2 customer_number=K1 colour:=r colours:=r;g vip:=true",
		"3 customer_number=K2 colour:=g colours:=r;g;b vip:=false",
		"4 customer_number=K3 colours=r",
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// A row without a value that is required is INVALID, unless it only updates and leaves it as it is.
func TestRequiredFields(t *testing.T) {
	t.Parallel()
	all := []*accountsv1.Field{{Name: "since", Label: "Since", Type: accountsv1.FieldType_FIELD_TYPE_DATE, Number: 256, Required: true},
		{Name: "team", Label: "Team", Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: 257, Required: true}}
	schema, err := fields.SchemaOf(all)
	if err != nil {
		t.Fatal(err)
	}
	file := "Email,Since\na@example.org,2020-01-01\nb@example.org,\nc@example.org,UNSET\n"
	for name, c := range map[string]struct {
		mode ingestv1.Mode
		want []string
	}{
		"upsert": {ingestv1.Mode_MODE_UPSERT, []string{"2 INVALID !value-missing@-1<team>", "3 INVALID !value-missing@1 !value-missing@-1<team>", "4 INVALID !value-missing@1 !value-missing@-1<team>"}},
		"update": {ingestv1.Mode_MODE_UPDATE, []string{"2 email=a@example.org since=2020-01-01", "3 email=b@example.org", "4 INVALID !value-missing@1"}},
	} {
		rows, _, _ := readOwn(t, file, nil, schema, nil, func(p *plan) { p.mode = row.Mode(c.mode) })
		if d := cmp.Diff(c.want, rows); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What was repaired is shown as it was and as it is, and covered where it is secret.
func TestRepairsShowOldAndNew(t *testing.T) {
	t.Parallel()
	rows, _, _ := read(t, "Account number,Email,SSN\n12345.0,a@example.org,'219-09-9998\n", nil, nil)
	if len(rows) != 1 || !strings.Contains(rows[0], "<12345.0>=<12345>") || strings.Contains(strings.ReplaceAll(rows[0], "sealed:219099998", ""), "219") {
		t.Errorf("rows %q", rows)
	}
}

// What only a person can answer is asked, with the command that answers it, and answered by the settings.
func TestQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		file    string
		code    string
		hint    string
		settle  *ingestv1.ImportSettings
		rows    int64
		invalid int64
	}{
		"no heading": {"ann@example.org,+12022243441\nbob@example.org,+12022243442\n", "no-heading", `contactmill jobs answer 7 --map "#1=email"`,
			&ingestv1.ImportSettings{Mapping: map[string]string{"#1": "email", "#2": "phone"}}, 2, 0},
		"two columns": {"Email,Email\na@example.org,b@example.org\n", "two-columns-for-one-field", "contactmill jobs answer 7 --map",
			&ingestv1.ImportSettings{Mapping: map[string]string{"#1": "email", "#2": "-"}}, 1, 0},
		"no key": {"First name,Number\nAnn,K1\n", "no-key-column", "contactmill jobs answer 7 --map",
			&ingestv1.ImportSettings{Mapping: map[string]string{"Number": "external_id"}}, 1, 0},
		"date order": {"Email,Birth date\na@example.org,01/02/1990\n", "date-order", "contactmill jobs answer 7 --date-order DMY",
			&ingestv1.ImportSettings{DateOrder: ingestv1.DateOrder_DATE_ORDER_MDY}, 1, 0},
		"delimiter": {"Email;Phone,City\na@example.org;1,x\nb@example.org;2,y\n", "delimiter-ambiguous", "contactmill jobs answer 7 --delimiter",
			&ingestv1.ImportSettings{Reading: &ingestv1.Reading{Delimiter: ";"}, Mapping: map[string]string{"#2": "-"}}, 2, 0},
		"column gone": {"Email\na@example.org\n", "mapped-column-missing", "contactmill jobs answer 7 --map", nil, 0, 0},
	} {
		settings := &ingestv1.ImportSettings{}
		if name == "column gone" {
			settings.Mapping = map[string]string{"E-Post": "email"}
		}
		r, _ := w.validate(job{file: c.file, settings: settings})
		if r.GetQuestion().GetCode() != c.code || !strings.Contains(r.GetQuestion().GetHint(), c.hint) || r.GetFile() == nil && name != "delimiter" {
			t.Errorf("%s: asked %v, want %s with %q", name, r.GetQuestion(), c.code, c.hint)
		}
		if c.settle == nil {
			continue
		}
		r, rows := w.validate(job{file: c.file, settings: c.settle})
		if r.GetQuestion() != nil || r.GetRejected() != nil || r.GetRows() != c.rows || r.GetInvalid() != c.invalid {
			t.Errorf("%s, answered: %v, rows %q", name, r, rows)
		}
	}
}

// A file without a heading is read from its first line, and what that says stands in no column's name.
func TestAFirstLineOfDataIsARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, file := range []string{"ann@example.org,+12022243441\nbob@example.org,+12022243442\n", "ann@example.org,+12022243441\n"} {
		r, rows := w.validate(job{file: file, settings: &ingestv1.ImportSettings{Mapping: map[string]string{"#1": "email", "#2": "phone"}}})
		want := []string{"1 email=ann@example.org phone=+12022243441", "2 email=bob@example.org phone=+12022243442"}[:strings.Count(file, "\n")]
		if d := cmp.Diff(want, rows); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
		if r.GetColumns()[0].GetHeading() != "#1" || r.GetHeadingsKey() != nil {
			t.Errorf("columns %v, remembered under %x", r.GetColumns(), r.GetHeadingsKey())
		}
	}
}

// The order of dates is decided by the whole column, if its first block leaves it open, then by what was said before, and
// what is said now goes before both.
func TestDateOrderIsDecidedByTheColumn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var late strings.Builder
	late.WriteString("External id,Birth date,Address\n")
	for i := range 12_000 { // more than a block
		fmt.Fprintf(&late, "A%d,01/02/1990,%s\n", i, strings.Repeat("x", 400))
	}
	late.WriteString("last,25/12/1990,\n")
	open := "Email,Birth date\na@example.org,01/02/1990\n"
	remembered := &ingestv1.RecallMappingResponse{DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY}
	for name, c := range map[string]struct {
		file       string
		said       ingestv1.DateOrder
		remembered *ingestv1.RecallMappingResponse
		first      string
	}{
		"by the last row":         {late.String(), 0, nil, "birth_date:=1990-02-01"},
		"as it was said before":   {open, 0, remembered, "birth_date:=1990-02-01"},
		"as it is said now":       {open, ingestv1.DateOrder_DATE_ORDER_MDY, remembered, "birth_date:=1990-01-02"},
		"against what was said":   {"Email,Birth date\na@example.org,12/25/1990\n", 0, remembered, "birth_date:=1990-12-25"},
		"numbers by their column": {"Email,Birth date,Turnover\na@example.org,1990-01-02,\"1,234\"\nb@example.org,,\"1,5\"\n", 0, nil, "turnover:=1.234"},
	} {
		w.ledger.Remembered = c.remembered
		r, rows := w.validate(job{file: c.file, settings: &ingestv1.ImportSettings{DateOrder: c.said}, account: &ingestv1.AccountSettings{Fields: own()}})
		if len(rows) == 0 || !strings.Contains(rows[0], c.first) {
			t.Errorf("%s: %v, want %s in row 1 of %.200q", name, r.GetQuestion(), c.first, rows[:min(len(rows), 1)])
		}
	}
}

// What was confirmed for the same columns is used again; what is said now goes before it.
func TestARememberedMappingIsUsedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ledger.Remembered = &ingestv1.RecallMappingResponse{Mapping: map[string]string{"nr": "external_id", "wert": "account_number", "gone": "no_such_field"}}
	r, rows := w.validate(job{file: "Nr,Wert\n1,2\n", settings: &ingestv1.ImportSettings{Mapping: map[string]string{"Wert": "city"}}})
	if d := cmp.Diff([]string{"2 external_id=1 city=2"}, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if a, b := r.GetColumns()[0].GetHow(), r.GetColumns()[1].GetHow(); a != "remembered" || b != "said" {
		t.Errorf("the columns go by %q and %q", a, b)
	}
}

// Nothing of a secret column is in what is told of a job.
func TestSecretsAreToldNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const canary = "9998877"
	file := "Email,PIN,SSN\na@example.org," + canary + ",219-09-" + canary + "\nb@example.org,x," + canary + "," + canary + "\n\"c,d\"e," + canary + "," + canary + "\n"
	r, rows := w.validate(job{file: file, account: &ingestv1.AccountSettings{Fields: own()}, settings: &ingestv1.ImportSettings{DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY}})
	if b, err := proto.Marshal(r); err != nil || strings.Contains(string(b), canary) {
		t.Errorf("the result holds it: %v, %v", r, err)
	}
	for _, row := range rows {
		if strings.Contains(strings.ReplaceAll(row, "sealed:"+canary, ""), canary) {
			t.Errorf("a row shows it: %s", row)
		}
	}
	if left, err := os.ReadDir(w.spools); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSpoolsGiveBackWhatTheyTook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := newSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for i := range 1000 {
		piece := []byte(strings.Repeat(string(rune('a'+i%26)), i%37))
		all = append(all, piece...)
		if n, err := s.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	for at := 0; at < len(all); at += 333 {
		got := make([]byte, min(100, len(all)-at))
		if n, err := s.ReadAt(got, int64(at)); n != len(got) || err != nil || string(got) != string(all[at:at+n]) {
			t.Fatalf("at %d: %q, %v, want %q", at, got[:n], err, all[at:at+len(got)])
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it has a name: %v, %v", left, err)
	}
	raw := make([]byte, len(all))
	if _, err := s.(*spool).file.ReadAt(raw, 0); err != nil || strings.Contains(string(raw), "zzzz") {
		t.Errorf("it is readable on disk, %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

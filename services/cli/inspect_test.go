package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
	"github.com/contactmill/contactmill/services/cli"
)

// Inspect asks for the pieces it was told to, and answers.
func (s *server) Inspect(stream grpc.BidiStreamingServer[validatorv1.InspectRequest, validatorv1.InspectResponse]) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	if s.cannot != nil {
		return s.cannot
	}
	s.mu.Lock()
	s.inspected = m.GetHeader()
	busy := s.busy > 0
	s.busy--
	s.mu.Unlock()
	if busy {
		return fault.New(fault.Exhausted, "too-many-inspections", "busy")
	}
	for _, w := range s.wishes {
		ask := &validatorv1.InspectResponse{Part: &validatorv1.InspectResponse_Wish{Wish: w}}
		if w == nil { // as if it asked in a way that we do not know
			ask.Part = nil
		}
		if err := stream.Send(ask); err != nil {
			return err
		}
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.pieces = append(s.pieces, m.GetPiece())
		s.mu.Unlock()
	}
	if s.inspection == nil {
		return nil
	}
	return stream.Send(&validatorv1.InspectResponse{Part: &validatorv1.InspectResponse_Inspection{Inspection: s.inspection}})
}

// fileOf writes a file of a size.
func fileOf(t *testing.T, size int) (string, []byte) {
	t.Helper()
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	name := filepath.Join(t.TempDir(), "leads.csv")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, content
}

func TestInspectAnswersWishes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.inspection = &validatorv1.Inspection{}
	name, content := fileOf(t, 3<<20)
	size := int64(len(content))
	s.wishes = []*validatorv1.Wish{{Offset: 0, Length: 1 << 20}, {Offset: size - 5, Length: 64 << 10}, {Offset: 12345, Length: 1}}
	if r := s.run(t, "", "inspect", name, "--rows", "7", "--mode", "add", "--delimiter", `\t`, "--ignore", "Junk", "--value", "colour:rouge=R"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	for i, at := range []struct{ from, to int64 }{{0, 1 << 20}, {size - 5, size}, {12345, 12346}} {
		if p := s.pieces[i]; p.GetOffset() != at.from || !bytes.Equal(p.GetData(), content[at.from:at.to]) {
			t.Errorf("piece %d: %d bytes at %d, want those from %d to %d", i, len(p.GetData()), p.GetOffset(), at.from, at.to)
		}
	}
	want := &validatorv1.InspectHeader{FileName: "leads.csv", Size: size, Rows: 7, Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD,
		Mapping: map[string]string{"Junk": "-"}, Reading: &ingestv1.Reading{Delimiter: "\t"},
		Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"rouge": "R"}}}}}
	if d := cmp.Diff(want, s.inspected, protocmp.Transform()); d != "" {
		t.Errorf("header (-want +got):\n%s", d)
	}
}

func TestInspectGivesNothingButTheFile(t *testing.T) {
	t.Parallel()
	for title, w := range map[string]*validatorv1.Wish{
		"before the file": {Offset: -1, Length: 10}, "behind it": {Offset: 1000, Length: 1}, "far behind it": {Offset: 1 << 62, Length: 1 << 20},
		"nothing": {Offset: 0}, "less than nothing": {Offset: 0, Length: -5}, "too much": {Offset: 0, Length: 1<<20 + 1},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.inspection = &validatorv1.Inspection{}
			s.wishes = []*validatorv1.Wish{w}
			name, _ := fileOf(t, 1000)
			if r := s.run(t, "", "inspect", name); r.code != 1 || !strings.Contains(r.err, "refused") || r.out != "" || len(s.pieces) > 0 && s.pieces[0] != nil {
				t.Errorf("%+v, pieces %v", r, s.pieces)
			}
		})
	}
	s := newServer(t) // ends without an answer
	name, _ := fileOf(t, 10)
	if r := s.run(t, "", "inspect", name); r.code != 1 || r.err == "" {
		t.Errorf("without an answer: %+v", r)
	}
}

func TestInspectWaitsForABusyServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.busy, s.inspection = 2, &validatorv1.Inspection{}
	name, _ := fileOf(t, 10)
	if r := s.run(t, "", "inspect", name); r.code != 0 || s.busy != -1 {
		t.Errorf("%+v; asked %d times more than it was busy, want one", r, -s.busy)
	}
}

func TestEveryServiceHasAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.inspection, s.account = &validatorv1.Inspection{}, &accountsv1.Account{Id: "a1"}
	name, _ := fileOf(t, 10)
	for service, args := range map[string][]string{"VALIDATOR": {"inspect", name}, "ACCOUNTS": {"fields", "list"}, "CONTACTS": {"contacts", "list"}} {
		elsewhere := []string{"CONTACTMILL_API_KEY=" + apiKey, "CONTACTMILL_ADDR=127.0.0.1:1", "CONTACTMILL_VALIDATOR_ADDR=127.0.0.1:1",
			"CONTACTMILL_ACCOUNTS_ADDR=127.0.0.1:1", "CONTACTMILL_CONTACTS_ADDR=127.0.0.1:1"}
		there := slices.Clone(elsewhere)
		there[slices.Index(there, "CONTACTMILL_"+service+"_ADDR=127.0.0.1:1")] = "CONTACTMILL_" + service + "_ADDR=" + s.addr
		var out, errs bytes.Buffer
		if code := cli.Run(t.Context(), args, there, strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("%q at its address: code %d, %s", args, code, errs.String())
		}
		errs.Reset()
		if code := cli.Run(t.Context(), append(args, "--addr", s.addr), elsewhere, strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("%q with --addr: code %d, %s", args, code, errs.String())
		}
	}
}

func TestInspectByAServerOfAnotherVersion(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.wishes = []*validatorv1.Wish{nil}
	name, _ := fileOf(t, 10)
	if r := s.run(t, "", "inspect", name); r.code != 1 || !strings.Contains(r.err, "belongs to the server") {
		t.Errorf("an answer that nobody knows: %+v", r)
	}
}

func TestInspection(t *testing.T) {
	t.Parallel()
	plain := &validatorv1.Inspection{
		File: &ingestv1.FileFacts{Format: "csv", Container: "gzip", Encoding: "windows-1252", Evidence: "account-default", Delimiter: ";", Quote: "\"", Escape: "double", LineEnd: "CRLF", HeadingLine: 3,
			Samples:  []*ingestv1.Sample{{Line: 5, Column: 2, Text: "Müller"}},
			Warnings: []*ingestv1.FileWarning{{Code: "encoding-assumed", Message: "the file is neither UTF-8 nor UTF-16 and was read as windows-1252", Hint: "say --encoding if letters look wrong"}}},
		Columns: []*validatorv1.InspectedColumn{
			{Index: 1, Heading: "Vorname", Field: "first_name", Confidence: 0.95, How: "word", FillRate: 1, Distinct: 3, Samples: []string{"Änne", "Bo", "陳大文"}},
			{Index: 2, Heading: "Geburtstag", Field: "birth_date", Confidence: 0.95, How: "word", FillRate: 0.666, Distinct: 2, Samples: []string{"31.12.1980", "1.2.1990"},
				Votes: map[string]int64{"date": 2, "text": 2}, Dates: &validatorv1.DateEvidence{Dmy: 1, Both: 1, Order: ingestv1.DateOrder_DATE_ORDER_DMY}},
			{Index: 3, Heading: "PLZ", Field: "zip", Confidence: 1, How: "said", FillRate: 1, Distinct: 1234, Samples: []string{"2134"}},
			{Index: 4, Heading: "Kontakt " + hostile, FillRate: 1, Distinct: 3, Votes: map[string]int64{"email": 3, "text": 3}, Samples: []string{"a@example.org", "b@example.org"}},
			{Index: 5, Heading: "Notiz", FillRate: 0, How: "said"},
		},
		Rows: []*validatorv1.InspectedRow{
			{Line: 4, Values: map[string]string{"first_name": "Änne", "birth_date": "1980-12-31", "zip": "02134"}, Findings: []*validatorv1.InspectedFinding{
				{Code: "zip-zeros", Column: "PLZ", Value: "2134", Repaired: "02134", Warning: true, Message: "leading zeros were lost and are put back", Hint: "format the column as text"}}},
			{Line: 5, Values: map[string]string{"first_name": "陳大文"}, Invalid: true, Findings: []*validatorv1.InspectedFinding{
				{Code: "date-impossible", Column: "Geburtstag", Value: "31.02.1980", Message: "there is no such day", Hint: "correct it"}, {Code: "no-key", Message: "the row has no key"}}},
			{Line: 123456, Values: map[string]string{"first_name": "Bo " + hostile, "zip": "10115"}},
		},
		RowsSeen: 3, BytesSeen: 65536,
	}
	asks := &validatorv1.Inspection{
		File: &ingestv1.FileFacts{Format: "xlsx", Sheet: "Leads", HeadingLine: 1, Sheets: []*ingestv1.Sheet{{Name: "Leads", HasData: true}, {Name: "Old", HasData: true, Hidden: true}, {Name: "Sheet3"}}},
		Columns: []*validatorv1.InspectedColumn{
			{Index: 1, Heading: "Date", Field: "birth_date", Confidence: .6, How: "word", FillRate: 1, Distinct: 2}},
		Question: &ingestv1.Question{Code: "date-order", Message: "day first or month first?", Hint: "say --date-order DMY or MDY"}, RowsSeen: 1, BytesSeen: 99,
	}
	wide := &validatorv1.Inspection{File: &ingestv1.FileFacts{Format: "csv", Encoding: "utf-8", Evidence: "utf-8", Delimiter: "^", Quote: "none", LineEnd: "LF", SeparatorLine: true},
		Rows: []*validatorv1.InspectedRow{{Line: 2, Values: map[string]string{}}}, RowsSeen: 1}
	for i := range 16 {
		f := fmt.Sprint("own_field_", i)
		wide.Columns = append(wide.Columns, &validatorv1.InspectedColumn{Index: int32(i + 1), Heading: f, Field: f, Confidence: 1, How: "name", FillRate: 1, Distinct: 1})
		wide.Rows[0].Values[f] = strings.Repeat(fmt.Sprint(i), 10)
	}
	refused := &validatorv1.Inspection{Rejected: &ingestv1.Problem{Code: "file-is-pdf", Message: "the file is a PDF", Hint: "export it as CSV"}}
	name, _ := fileOf(t, 123456)
	for title, c := range map[string]struct {
		found *validatorv1.Inspection
		code  int
	}{"inspect": {plain, 0}, "inspect-asks": {asks, 5}, "inspect-wide": {wide, 0}, "inspect-refused": {refused, 1}} {
		s := newServer(t)
		s.inspection = c.found
		for _, format := range []string{"table", "json"} {
			r := s.run(t, "", "inspect", name, "-o", format)
			if r.code != c.code || r.err != "" {
				t.Errorf("%s as %s: %+v, want code %d", title, format, r, c.code)
			}
			if format == "table" && strings.ContainsAny(r.out, "\x1b\a\r\u202e\u200b\u009b") {
				t.Errorf("%s: a text turns the terminal: %q", title, r.out)
			}
			if format == "table" || title == "inspect" {
				golden(t, title+"."+format, r.out)
			}
		}
	}
}

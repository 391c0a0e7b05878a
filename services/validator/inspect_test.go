package validator

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/rpc"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
	validatorv1 "github.com/contactmill/contactmill/proto/gen/contactmill/validator/v1"
)

// client speaks to the world's inspection as a submitter.
func (w *world) client(t testing.TB) validatorv1.InspectServiceClient {
	t.Helper()
	addr := serve(t, func(reg grpc.ServiceRegistrar) { w.s.Register(reg) })
	conn, err := rpc.Dial(addr, rpc.DialOptions{Key: config.Secret("cm_" + uuid.NewString())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return validatorv1.NewInspectServiceClient(conn)
}

// inspect answers every wish from a file.
func inspect(ctx context.Context, c validatorv1.InspectServiceClient, file io.ReaderAt, size int64, settings *ingestv1.ImportSettings) (*validatorv1.Inspection, error) {
	s, err := c.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	err = s.Send(&validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Header{Header: &validatorv1.InspectHeader{FileName: "x", Size: size, Settings: settings}}})
	for err == nil {
		var m *validatorv1.InspectResponse
		if m, err = s.Recv(); err != nil {
			break
		}
		if m.GetInspection() != nil {
			return m.GetInspection(), nil
		}
		wish := m.GetWish()
		data := make([]byte, wish.GetLength())
		n, readErr := file.ReadAt(data, wish.GetOffset())
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return nil, readErr
		}
		err = s.Send(&validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Piece{Piece: &validatorv1.Piece{Offset: wish.GetOffset(), Data: data[:n]}}})
	}
	if errors.Is(err, io.EOF) {
		_, err = s.Recv()
	}
	return nil, err
}

func TestInspect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := "Email;Phone;Birth date;PIN;Colour;Hat size\n" +
		"Ann@Example.org;202-224-3441;25/12/1990;4711;Red;12\n" +
		"bob at home;;01/02/1991;;purple;\n" +
		"cy@example.org;;;;;13\n"
	got, err := inspect(t.Context(), w.client(t), strings.NewReader(file), int64(len(file)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := got.GetFile(); f.GetFormat() != "csv" || f.GetDelimiter() != ";" || f.GetHeadingLine() != 1 || got.GetQuestion() != nil || got.GetRejected() != nil {
		t.Errorf("file %v, question %v, problem %v", f, got.GetQuestion(), got.GetRejected())
	}
	if got.GetRowsSeen() != 3 || got.GetBytesSeen() != int64(len(file)) {
		t.Errorf("%d rows, %d bytes seen", got.GetRowsSeen(), got.GetBytesSeen())
	}
	var columns []string
	for _, c := range got.GetColumns() {
		columns = append(columns, fmt.Sprintf("%d %s %s %s %.2f %d %v", c.GetIndex(), c.GetHeading(), c.GetField(), c.GetHow(), c.GetFillRate(), c.GetDistinct(), c.GetSamples()))
	}
	want := []string{
		"1 Email email name 1.00 3 [Ann@Example.org bob at home cy@example.org]",
		"2 Phone phone name 0.33 1 [202-224-3441]",
		"3 Birth date birth_date name 0.67 2 [25/12/1990 01/02/1991]",
		"4 PIN pin name 0.33 1 [***]",
		"5 Colour colour name 0.67 2 [Red purple]",
		"6 Hat size   0.67 2 [12 13]",
	}
	if d := cmp.Diff(want, columns); d != "" {
		t.Errorf("columns (-want +got):\n%s", d)
	}
	if v := got.GetColumns()[0].GetVotes(); v["email"] != 2 || v["text"] != 1 {
		t.Errorf("votes of the emails: %v", v)
	}
	if d := got.GetColumns()[2].GetDates(); d.GetDmy() != 1 || d.GetBoth() != 1 || d.GetOrder() != ingestv1.DateOrder_DATE_ORDER_DMY {
		t.Errorf("dates %v", d)
	}
	first := map[string]string{"email": "ann@example.org", "phone": "+12022243441", "birth_date": "1990-12-25", "pin": "***", "colour": "r"}
	if d := cmp.Diff(first, got.GetRows()[0].GetValues()); d != "" {
		t.Errorf("first row (-want +got):\n%s", d)
	}
	second := got.GetRows()[1]
	if !second.GetInvalid() || len(second.GetFindings()) != 2 || second.GetFindings()[0].GetColumn() != "Email" || second.GetFindings()[0].GetHint() == "" {
		t.Errorf("second row %v", second)
	}
	if b, err := proto.Marshal(got); err != nil || bytes.Contains(b, []byte("4711")) {
		t.Errorf("the answer shows a secret, %v", err)
	}
}

// An inspection takes bad cells as the settings say, else as the account does, which rejects the row.
func TestInspectTakesBadCellsAsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	file := "External id,Email\nA1,nonsense\n"
	for said, invalid := range map[accountsv1.BadCell]bool{0: true, accountsv1.BadCell_BAD_CELL_REJECT_ROW: true, accountsv1.BadCell_BAD_CELL_DROP_CELL: false} {
		got, err := inspect(t.Context(), c, strings.NewReader(file), int64(len(file)), &ingestv1.ImportSettings{BadCell: said})
		if err != nil {
			t.Fatal(err)
		}
		if r := got.GetRows()[0]; r.GetInvalid() != invalid || len(r.GetFindings()) != 1 || !invalid && r.GetValues()["external_id"] != "A1" {
			t.Errorf("%s: row %v, want invalid %t", said, r, invalid)
		}
	}
}

// An inspection goes by what was said of such files before, as the job would.
func TestInspectRemembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.ledger.Remembered = &ingestv1.RecallMappingResponse{Mapping: map[string]string{"nr": "external_id", "wert": "account_number", "farbe": "colour", "gone": "no_such_field"},
		DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY, Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"Rot": "r"}}}}
	file := "Nr,Wert,Farbe,Birth date\n1,2,rot,01/02/1990\n"
	settings := &ingestv1.ImportSettings{Mapping: map[string]string{"Wert": "city"}}
	got, err := inspect(t.Context(), c, strings.NewReader(file), int64(len(file)), settings)
	if err != nil || got.GetQuestion() != nil || got.GetRejected() != nil || len(got.GetRows()) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	var how []string
	for _, c := range got.GetColumns() {
		how = append(how, c.GetField()+" "+c.GetHow())
	}
	if d := cmp.Diff([]string{"external_id remembered", "city said", "colour remembered", "birth_date name"}, how); d != "" {
		t.Errorf("columns (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"external_id": "1", "city": "2", "colour": "r", "birth_date": "1990-02-01"}, got.GetRows()[0].GetValues()); d != "" {
		t.Errorf("row (-want +got):\n%s", d)
	}
	r, _ := w.validate(job{file: file, settings: settings, account: &ingestv1.AccountSettings{Fields: own()}})
	for i, c := range r.GetColumns() {
		if job := c.GetField() + " " + c.GetHow(); job != how[i] {
			t.Errorf("the job takes column %d for %q, inspection for %q", i+1, job, how[i])
		}
	}
}

// A file of any size is told of in a fifth of a second, from a few pieces.
func TestInspectIsQuickAtAnySize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	const header = "External id,First name,Last name,Email,Phone,Birth date,City\n"
	line := func(i int) string {
		return fmt.Sprintf("A%09d,Ann,Smith,ann%09d@example.org,+12022243441,1990-12-%02d,Washington\n", i, i, 1+i%28)
	}
	endless := &generated{head: []byte(header), line: func(i int64) []byte { return []byte(line(int(i))) }, width: int64(len(line(0)))}
	var book bytes.Buffer
	x := excelize.NewFile()
	sw, err := x.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		row := []any{fmt.Sprintf("A%d", i), "Ann", fmt.Sprintf("ann%d@example.org", i), 12022243441 + i}
		if i == 0 {
			row = []any{"External id", "First name", "Email", "Phone"}
		}
		if err := sw.SetRow(fmt.Sprintf("A%d", i+1), row); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(sw.Flush(), x.Write(&book), x.Close()); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, header)
	for i := range 20_000 {
		fmt.Fprint(z, line(i))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		r    io.ReaderAt
		size int64
	}{
		"text of 2 GB": {endless, 2_000_000_000 / endless.width * endless.width},
		"workbook":     {bytes.NewReader(book.Bytes()), int64(book.Len())},
		"gzip":         {bytes.NewReader(packed.Bytes()), int64(packed.Len())},
	} {
		best := time.Hour
		var got *validatorv1.Inspection
		for range 3 {
			began := time.Now()
			if got, err = inspect(t.Context(), c, f.r, f.size, nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			best = min(best, time.Since(began))
		}
		t.Logf("%s of %d bytes: %d rows from %d bytes in %s", name, f.size, got.GetRowsSeen(), got.GetBytesSeen(), best)
		if got.GetRowsSeen() < 100 || got.GetRejected() != nil || got.GetQuestion() != nil || len(got.GetRows()) != usualRows || got.GetRows()[0].GetValues()["email"] == "" {
			t.Errorf("%s: %d rows, problem %v, question %v", name, got.GetRowsSeen(), got.GetRejected(), got.GetQuestion())
		}
		if got.GetBytesSeen() > 8<<20 {
			t.Errorf("%s: %d bytes were asked for", name, got.GetBytesSeen())
		}
	}
}

// generated is a file that is made where it is read.
type generated struct {
	head  []byte
	line  func(i int64) []byte
	width int64
}

func (g *generated) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for n < len(p) {
		if at < int64(len(g.head)) {
			k := copy(p[n:], g.head[at:])
			n, at = n+k, at+int64(k)
			continue
		}
		off := at - int64(len(g.head))
		k := copy(p[n:], g.line(off / g.width)[off%g.width:])
		n, at = n+k, at+int64(k)
	}
	return n, nil
}

func TestInspectTellsWhatAJobWouldAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	x := excelize.NewFile()
	if _, err := x.NewSheet("Second"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"Sheet1", "Second"} {
		for at, v := range map[string]string{"A1": "Email", "A2": s + "@example.org"} {
			if err := x.SetCellStr(s, at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	var book bytes.Buffer
	if err := errors.Join(x.Write(&book), x.Close()); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file     string
		settings *ingestv1.ImportSettings
		question string
		problem  string
		first    string
	}{
		"sheets":       {book.String(), nil, "sheet", "", ""},
		"sheet chosen": {book.String(), &ingestv1.ImportSettings{Reading: &ingestv1.Reading{Sheet: "Second"}}, "", "", "second@example.org"},
		"sheet gone":   {book.String(), &ingestv1.ImportSettings{Reading: &ingestv1.Reading{Sheet: "Third"}}, "sheet", "", ""},
		"empty":        {"", nil, "", "file-empty", ""},
		"picture":      {"\x89PNG\r\n\x1a\n0000", nil, "", "file-is-image", ""},
		"dates open":   {"Email,Birth date\na@example.org,01/02/1990\n", nil, "date-order", "", ""},
		"no heading":   {"a@example.org,+12022243441\nb@example.org,+12022243442\n", nil, "no-heading", "", ""},
		"unknown":      {"Hat size,Shoe size\n1,2\n", nil, "", "nothing-maps", ""},
		"heading only": {"Email,Phone\n", nil, "", "", ""},
		"legacy":       {"Email,City\na@example.org,M\xfcnchen\n", nil, "", "", "a@example.org"},
		"keys chosen":  {"Email,City\na@example.org,Rome\n", &ingestv1.ImportSettings{Policies: &accountsv1.Policies{Keys: []string{"external_id"}}}, "no-key-column", "", ""},
		"newest":       {"Email,Updated at\na@example.org,01/02/2026 14:05\n", &ingestv1.ImportSettings{Policies: &accountsv1.Policies{Rules: map[string]accountsv1.FieldRule{"*": accountsv1.FieldRule_FIELD_RULE_NEWEST}}}, "date-order", "", ""},
		"not newest":   {"Email,Updated at\na@example.org,01/02/2026 14:05\n", nil, "", "", "a@example.org"},
	} {
		got, err := inspect(t.Context(), c, strings.NewReader(tc.file), int64(len(tc.file)), tc.settings)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.GetQuestion().GetCode() != tc.question || got.GetRejected().GetCode() != tc.problem {
			t.Errorf("%s: question %v, problem %v, want %q, %q", name, got.GetQuestion(), got.GetRejected(), tc.question, tc.problem)
		}
		if tc.first != "" && (len(got.GetRows()) == 0 || got.GetRows()[0].GetValues()["email"] != tc.first) {
			t.Errorf("%s: rows %v", name, got.GetRows())
		}
		if name == "sheets" && (len(got.GetFile().GetSheets()) != 2 || !strings.Contains(got.GetQuestion().GetMessage(), "Second")) {
			t.Errorf("sheets %v, question %v", got.GetFile(), got.GetQuestion())
		}
		if name == "legacy" && (got.GetFile().GetEncoding() != "windows-1252" || got.GetFile().GetEvidence() != "account-default" || len(got.GetFile().GetSamples()) == 0 || len(got.GetFile().GetWarnings()) == 0) {
			t.Errorf("file %v", got.GetFile())
		}
	}
}

// A client that does not keep to the contract is told so, and holds nothing for long.
func TestBadInspections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	header := func(size int64) *validatorv1.InspectRequest {
		return &validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Header{Header: &validatorv1.InspectHeader{Size: size}}}
	}
	piece := func(at int64, b string) *validatorv1.InspectRequest {
		return &validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Piece{Piece: &validatorv1.Piece{Offset: at, Data: []byte(b)}}}
	}
	for name, tc := range map[string]struct {
		send  []*validatorv1.InspectRequest
		close bool
		kind  fault.Kind
		code  string
	}{
		"piece first":      {[]*validatorv1.InspectRequest{piece(0, "x")}, false, fault.Invalid, "header-missing"},
		"negative size":    {[]*validatorv1.InspectRequest{header(-1)}, false, fault.Invalid, "size-negative"},
		"nothing at all":   {nil, true, fault.Invalid, "piece-missing"},
		"no piece":         {[]*validatorv1.InspectRequest{header(100)}, true, fault.Invalid, "piece-missing"},
		"piece too short":  {[]*validatorv1.InspectRequest{header(100), piece(0, "a,b\n")}, false, fault.Invalid, "piece-wrong"},
		"another piece":    {[]*validatorv1.InspectRequest{header(4), piece(8, "a,b\n")}, false, fault.Invalid, "piece-wrong"},
		"header for piece": {[]*validatorv1.InspectRequest{header(4), header(4)}, false, fault.Invalid, "piece-wrong"},
	} {
		s, err := c.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tc.send {
			if err := s.Send(m); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		if tc.close {
			if err := s.CloseSend(); err != nil {
				t.Fatal(err)
			}
		}
		for err == nil {
			_, err = s.Recv()
		}
		if fault.Of(err) != tc.kind || fault.Code(err) != tc.code {
			t.Errorf("%s: %v, want %s %s", name, err, tc.kind, tc.code)
		}
	}
	for range inspections {
		w.s.inspector.slots <- struct{}{}
	}
	if _, err := inspect(t.Context(), c, strings.NewReader("a"), 1, nil); fault.Of(err) != fault.Exhausted || fault.Code(err) != "too-many-inspections" {
		t.Errorf("one too many: %v", err)
	}
	for range inspections {
		<-w.s.inspector.slots
	}
	if _, err := inspect(t.Context(), c, strings.NewReader(""), 3<<30, nil); err != nil {
		t.Errorf("a file over the limit: %v, want it refused in the answer", err)
	}
}

// A client that says nothing is cut.
func TestASilentClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.s.inspector.limit = 50 * time.Millisecond
	s, err := w.client(t).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&validatorv1.InspectRequest{Part: &validatorv1.InspectRequest_Header{Header: &validatorv1.InspectHeader{Size: 100}}}); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = s.Recv()
	}
	if fault.Of(err) != fault.Deadline || fault.Code(err) != "inspect-too-slow" {
		t.Errorf("a silent client: %v", err)
	}
}

// Whoever inspects a corrected report is told whose it is, and sees it read as that job's file was.
func TestInspectACorrectedReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, report := w.first(12, people5Job())
	report[2][2] = "'+12022243442"
	file := csvOf(t, report)
	c := w.client(t)
	got, err := inspect(t.Context(), c, strings.NewReader(file), int64(len(file)), &ingestv1.ImportSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetCorrectsNumber() != 12 || got.GetQuestion() != nil || got.GetRejected() != nil || len(got.GetRows()) != 4 {
		t.Fatalf("inspection %v", got)
	}
	if r := got.GetRows()[1]; r.GetInvalid() || r.GetValues()["external_id"] != "008" || r.GetValues()["ssn"] != "***-**-9997" || r.GetValues()["birth_date"] != "1990-06-13" || r.GetValues()["phone"] != "+12022243442" {
		t.Errorf("row %v", r)
	}
	if how := got.GetColumns()[10].GetHow(); how != "report" {
		t.Errorf("the column job is there by %q", how)
	}
	file = strings.ReplaceAll(file, ",12\n", ",13\n")
	got, err = inspect(t.Context(), c, strings.NewReader(file), int64(len(file)), &ingestv1.ImportSettings{})
	if err != nil || got.GetRejected().GetCode() != "correction-unknown" {
		t.Errorf("of an unknown job: %v, %v", got, err)
	}
	w.ledger.Reported[13] = &ingestv1.RecallJobResponse{Job: &ingestv1.Job{Number: 13, UndoOf: "1", State: ingestv1.JobState_JOB_STATE_COMPLETED}}
	got, err = inspect(t.Context(), c, strings.NewReader(file), int64(len(file)), &ingestv1.ImportSettings{})
	if err != nil || got.GetRejected().GetCode() != "correction-unknown" {
		t.Errorf("of an undo: %v, %v", got, err)
	}
}

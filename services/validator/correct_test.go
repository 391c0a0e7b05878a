package validator

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// first has a job validated whose report is to be corrected, and returns the report as cells, heading first.
func (w *world) first(number int64, j job) (of uuid.UUID, report [][]string) {
	w.t.Helper()
	if j.of == uuid.Nil {
		j.of = uuid.Must(uuid.NewV7())
	}
	r, _, id := w.work(j)
	if r.GetQuestion() != nil || r.GetRejected() != nil {
		w.t.Fatalf("the first job: %v", r)
	}
	badCell := accountsv1.BadCell_BAD_CELL_REJECT_ROW
	if j.account.GetDropBadCells() {
		badCell = accountsv1.BadCell_BAD_CELL_DROP_CELL
	}
	if w.ledger.Reported == nil {
		w.ledger.Reported = map[int64]*ingestv1.RecallJobResponse{}
	}
	settings := j.settings
	if settings == nil {
		settings = &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT}
	}
	w.ledger.Reported[number] = &ingestv1.RecallJobResponse{Validated: r,
		Job: &ingestv1.Job{Id: id.String(), Number: number, State: ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, Settings: settings, Policies: j.policies, BadCell: badCell, File: r.GetFile(), Columns: r.GetColumns()}}
	return j.of, w.report(r, number)
}

// report is what the ledger's service makes of a job's cells.
func (w *world) report(r *ingestv1.ValidateResult, number int64) [][]string {
	w.t.Helper()
	var own []bool
	var all [][]string
	for i, c := range r.GetChunks() {
		in, err := w.s.blob.Get(w.t.Context(), c.GetCells().GetName(), 0, -1)
		if err != nil {
			w.t.Fatal(err)
		}
		cells, err := row.NewCellsReader(in)
		if err != nil {
			w.t.Fatal(err)
		}
		if i == 0 {
			var heading []string
			for n, col := range cells.Header.Columns {
				if own = append(own, r.GetColumns()[n].GetHow() == string(mapping.OfReport)); !own[n] {
					heading = append(heading, inert(col.Heading))
				}
			}
			all = append(all, append(heading, mapping.ReportColumns[:]...))
		}
		for {
			c, err := cells.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				w.t.Fatal(err)
			}
			line, outcome := make([]string, 0, len(own)+5), "ADDED"
			for n := range own {
				if !own[n] && n < len(c.Cells) {
					line = append(line, inert(string(c.Cells[n])))
				} else if !own[n] {
					line = append(line, "")
				}
			}
			if c.Invalid {
				outcome = "INVALID"
			}
			all = append(all, append(line, strconv.FormatInt(c.Line, 10), outcome, "why, not", "", strconv.FormatInt(number, 10)))
		}
		in.Close()
	}
	return all
}

func inert(s string) string {
	if sheet.Computes([]byte(s)) {
		return "'" + s
	}
	return s
}

func csvOf(t testing.TB, records [][]string) string {
	t.Helper()
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(records); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const people5 = "KdNr,Vorname,Phone,Geb.,SSN,PIN\n" +
	"007,Ann,+12022243441,05/06/1990,219-09-9998,4711\n" +
	"008,Bob,12,13/06/1990,219-09-9997,UNSET\n" +
	"009,Cid,+12022243443,05/06/1990,000-00-0000,4713\n" +
	"010,Di,call me,06/07/1991,219-09-9995,4714\n"

func people5Job() job {
	return job{file: people5, account: &ingestv1.AccountSettings{Fields: own()},
		settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPSERT, Mapping: map[string]string{"KdNr": "external_id", "PIN": "pin"}}}
}

// A corrected report is read as the file was that it is of: its columns, its dates, its secrets.
func TestACorrectedReportIsReadAsItsFileWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of, report := w.first(12, people5Job())
	if d := cmp.Diff([]string{"008", "Bob", "12", "13/06/1990", "***-**-9997", "***", "3", "INVALID", "why, not", "", "12"}, report[2]); d != "" {
		t.Fatalf("report (-want +got):\n%s", d)
	}
	report = slices.DeleteFunc(report, func(r []string) bool { return r[7] == "ADDED" })
	report[1][2] = "'+12022243442"
	report[2][4] = "219-09-9996"
	report[3][2] = "(202) 224-3444"
	r, rows := w.validate(job{file: csvOf(t, report), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
	want := []string{
		"2 external_id=008 first_name=Bob phone:=+12022243442 birth_date:=1990-06-13 ssn:=sealed:219099997/***-**-9997 pin=UNSET",
		"3 external_id=009 first_name=Cid phone=+12022243443 birth_date:=1990-06-05 ssn:=sealed:219099996/***-**-9996 pin:=sealed:4713/***",
		"4 external_id=010 first_name=Di phone:=+12022243444 birth_date:=1991-07-06 ssn:=sealed:219099995/***-**-9995 pin:=sealed:4714/***",
	}
	if d := cmp.Diff(want, rows); d != "" || r.GetInvalid() != 0 {
		t.Errorf("%v, rows (-want +got):\n%s", r, d)
	}
	if r.GetCorrects() != w.ledger.Reported[12].GetJob().GetId() || len(r.GetHeadingsKey()) != 0 {
		t.Errorf("corrects %q, headings key %x", r.GetCorrects(), r.GetHeadingsKey())
	}
	for i, c := range r.GetColumns() {
		if ours := i >= 6; ours != (c.GetHow() == "report") || ours && c.GetField() != "" {
			t.Errorf("column %v", c)
		}
	}
	if got := w.report(r, 13)[0]; len(got) != 11 || got[6] != "line" {
		t.Errorf("the report of the correction has the columns %q", got)
	}
}

// Also one that has its columns and rows in another order, and that is a correction of a correction.
func TestAReportIsKnownInAnyOrderAndAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of, report := w.first(12, people5Job())
	for number := int64(13); number < 15; number++ {
		rand.Shuffle(len(report)-1, func(i, j int) { report[i+1], report[j+1] = report[j+1], report[i+1] })
		at := rand.Perm(len(report[0]))
		mixed := make([][]string, len(report))
		for i, r := range report {
			for _, c := range at {
				mixed[i] = append(mixed[i], r[c])
			}
		}
		of, report = w.first(number, job{file: csvOf(t, mixed), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
	}
	pins := map[string]bool{}
	column := func(name string) int { return slices.Index(report[0], name) }
	for _, r := range report[1:] {
		if r[column("SSN")] == "***-**-0000" { // it never was one
			r[column("SSN")] = "219-09-9996"
		}
		r[column("Phone")] = "+1202224345" + strconv.Itoa(len(pins))
		pins[r[column("KdNr")]] = true
	}
	r, rows := w.validate(job{file: csvOf(t, report), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
	all := strings.Join(rows, "\n")
	for _, want := range []string{"external_id=007", "sealed:219099998/***-**-9998", "sealed:219099997/***-**-9997", "sealed:219099996/***-**-9996", "sealed:4713/***", "pin=UNSET", "birth_date:=1990-06-05"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in rows\n%s", want, all)
		}
	}
	if r.GetInvalid() != 0 || len(pins) != 4 {
		t.Errorf("invalid: %d, rows\n%s", r.GetInvalid(), all)
	}
}

// What is masked and cannot be found again is INVALID, never taken for a value, never another person's.
func TestMaskedValuesThatAreLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of, report := w.first(12, people5Job())
	const lost = "!masked-lost@4<***-**-9997> !masked-lost@5<***>"
	for name, c := range map[string]struct {
		change func(r []string)
		want   string
	}{
		"another line":       {func(r []string) { r[6] = "2" }, lost},
		"no such line":       {func(r []string) { r[6] = "99" }, lost},
		"no line":            {func(r []string) { r[6] = "" }, lost},
		"a word for a line":  {func(r []string) { r[6] = "three" }, lost},
		"no job":             {func(r []string) { r[10] = "" }, lost},
		"another mask":       {func(r []string) { r[4] = "***-**-9998" }, "!masked-lost@4<***-**-9998>"},
		"what was bad":       {func(r []string) { copy(r, report[3]) }, "!masked-lost@4<***-**-0000>"},
		"cells that changed": {func(r []string) { r[0], r[1], r[3] = "B", "Bea", "" }, lost},
	} {
		r := slices.Clone(report[2])
		r[2] = "+12022243442"
		c.change(r)
		filler := slices.Clone(report[1]) // so that the file is known as a report
		_, rows := w.validate(job{file: csvOf(t, [][]string{report[0], filler, r}), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
		if len(rows) != 2 || !strings.HasPrefix(rows[1], "3 INVALID") || !strings.HasSuffix(rows[1], c.want) || strings.Count(rows[1], "!") != strings.Count(c.want, "!") {
			t.Errorf("%s: rows %q, want %s", name, rows, c.want)
		}
	}
	// in an ordinary file
	_, rows := w.validate(job{file: "Email,SSN,PIN\na@example.org,***-**-9997,***\n", account: &ingestv1.AccountSettings{Fields: own()}, settings: &ingestv1.ImportSettings{Mapping: map[string]string{"PIN": "pin"}}})
	if want := []string{"2 INVALID !masked-lost@1<***-**-9997> !masked-lost@2<***>"}; !slices.Equal(rows, want) {
		t.Errorf("an ordinary file: %q, want %q", rows, want)
	}
}

// What a spreadsheet did by itself to cells that were good is taken back, and told.
func TestWhatASpreadsheetRewroteIsTakenAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of, report := w.first(12, job{file: "External id,Zip,Birth date,Turnover,First name,Phone,VIP,Note\n" +
		"007,02118,05/06/1990,\"1.234,50\",1E5,1,true,\n" +
		"12345678901234567,02118,13/06/1990,\"0,5\",Ann,2,false,\n" +
		"008,02119,14/06/1990,7,Bob,3,x,\"two\r\nlines\"\n", account: &ingestv1.AccountSettings{Fields: own()}})
	if len(report) != 4 {
		t.Fatalf("report %q", report)
	}
	for i, phone := range []string{"'+12022243441", "'+12022243442", "'+12022243443"} {
		report[i+1][5] = phone
	}
	edit := func(r []string, cells ...string) { copy(r, cells) }
	edit(report[1], "7", "2118", "05/06/90", "1234,5", "100000", "'+12022243441", "TRUE") // a spreadsheet that reads the month first
	edit(report[2], "1.23456789012346E+16", "02118", "13/06/1990", "0,5", "Anna", "'+12022243442", "FALSE")
	edit(report[3], "8", "2119", "14/06/1990", "7", "Bob", "'+12022243443", "yes", "two\nlines")
	want := []string{
		"2 external_id=007 zip=02118 birth_date:=1990-06-05 turnover:=1234.5 first_name=1E5 phone:=+12022243441 vip=true " +
			"!cell-restored@0(warning)<7>=<007> !cell-restored@1(warning)<2118>=<02118> !cell-restored@2(warning)<05/06/90>=<05/06/1990> !cell-restored@3(warning)<1234,5>=<1.234,50> !cell-restored@4(warning)<100000>=<1E5> !cell-restored@6(warning)<TRUE>=<true>",
		"3 external_id=12345678901234567 zip=02118 birth_date:=1990-06-13 turnover:=0.5 first_name=Anna phone:=+12022243442 vip=false " +
			"!cell-restored@0(warning)<1.23456789012346E+16>=<12345678901234567> !cell-restored@6(warning)<FALSE>=<false>",
		"4 external_id=008 zip=02119 birth_date:=1990-06-14 turnover=7 first_name=Bob phone:=+12022243443 vip:=true !cell-restored@0(warning)<8>=<008> !cell-restored@1(warning)<2119>=<02119>",
	}
	_, rows := w.validate(job{file: csvOf(t, report), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// Days and numbers of a workbook are no text: the day that a spreadsheet read is not the one that was meant.
func TestACorrectedWorkbook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of, report := w.first(12, people5Job())
	x := excelize.NewFile()
	style, err := x.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range report {
		for c, cell := range r {
			at, err := excelize.CoordinatesToCellName(c+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			var v any = cell
			switch report[0][c] {
			case "KdNr", "line", "job":
				if n, err := strconv.Atoi(cell); err == nil {
					v = n
				}
			case "Phone":
				if i > 0 {
					v = 2022243440 + i
				}
			case "Geb.":
				if day, code := contact.ParseDate([]byte(cell), contact.DateRules{Order: contact.MDY}); !code.Failed() {
					y, m, d := day.Civil()
					v = time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)).Hours() / 24
					if err := x.SetCellStyle("Sheet1", at, at, style); err != nil {
						t.Fatal(err)
					}
				}
			case "SSN":
				if cell == "***-**-0000" {
					v = 219099996
				}
			}
			if err := x.SetCellValue("Sheet1", at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	r, rows := w.validate(job{file: b.String(), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
	for i, want := range []string{
		"2 external_id=007 first_name=Ann phone:=+12022243441 birth_date:=1990-06-05 ssn:=sealed:219099998/***-**-9998 pin:=sealed:4711/*** !cell-restored@0(warning)<7>=<007> !cell-restored@3",
		"3 external_id=008 first_name=Bob phone:=+12022243442 birth_date:=1990-06-13 ssn:=sealed:219099997/***-**-9997 pin=UNSET !cell-restored@0",
		"4 external_id=009 first_name=Cid phone:=+12022243443 birth_date:=1990-06-05 ssn:=sealed:219099996/***-**-9996 pin:=sealed:4713/***",
		"5 external_id=010 first_name=Di phone:=+12022243444 birth_date:=1991-07-06 ssn:=sealed:219099995/***-**-9995 pin:=sealed:4714/***",
	} {
		if i >= len(rows) || !strings.HasPrefix(rows[i], want) {
			t.Errorf("question %v, problem %v, rows %q, want one that begins with %q", r.GetQuestion(), r.GetRejected(), rows, want)
		}
	}
}

// A correction goes by what its first job was asked, but for what it is asked itself; without one the mode has to be said.
func TestWhatACorrectionIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := job{file: "Kd,Email,Colour,Since,Turnover\n1,a@x.io,rot,01/02/2020,\"1.000\"\n2,b@x,rot,13/02/2020,\"1,5\"\n",
		account:  &ingestv1.AccountSettings{Fields: own(), DropBadCells: true},
		policies: &accountsv1.Policies{Keys: []string{"external_id"}},
		settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_UPDATE, Mapping: map[string]string{"Kd": "external_id"}, Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"rot": "r"}}}}}
	of, report := w.first(5, first)
	file := csvOf(t, report[:2])
	for name, c := range map[string]struct {
		settings *ingestv1.ImportSettings
		want     []string
	}{
		"nothing":      {nil, []string{"2 external_id=1 email=a@x.io colour:=r since:=2020-02-01 turnover:=1000"}},
		"a mapping":    {&ingestv1.ImportSettings{Mapping: map[string]string{"Kd": "customer_number", "Email": "external_id"}}, []string{"2 customer_number=1 external_id=a@x.io colour:=r since:=2020-02-01 turnover:=1000"}},
		"a date order": {&ingestv1.ImportSettings{DateOrder: ingestv1.DateOrder_DATE_ORDER_MDY}, []string{"2 external_id=1 email=a@x.io colour:=r since:=2020-01-02 turnover:=1000"}},
		"keys":         {&ingestv1.ImportSettings{Policies: &accountsv1.Policies{Keys: []string{"phone", "ssn", "email"}}, Values: map[string]*ingestv1.ValueMap{"colour": {Values: map[string]string{"Rot": "g"}}}}, []string{"2 external_id=1 email=a@x.io colour:=g since:=2020-02-01 turnover:=1000"}},
	} {
		_, rows := w.validate(job{file: file, of: of, modeless: true, settings: c.settings, account: &ingestv1.AccountSettings{Fields: own()}})
		if d := cmp.Diff(c.want, rows); d != "" {
			t.Errorf("%s: rows (-want +got):\n%s", name, d)
		}
	}
	for badCell, want := range map[accountsv1.BadCell]string{
		accountsv1.BadCell_BAD_CELL_UNSPECIFIED: "2 external_id=1 colour:=r since:=2020-02-01 turnover:=1000 !email-invalid@1(warning)<a@>",
		accountsv1.BadCell_BAD_CELL_REJECT_ROW:  "2 INVALID !email-invalid@1<a@>",
	} {
		_, rows := w.validate(job{file: strings.Replace(file, "a@x.io", "a@", 1), of: of, modeless: true, settings: &ingestv1.ImportSettings{BadCell: badCell}, account: &ingestv1.AccountSettings{Fields: own()}})
		if !slices.Equal(rows, []string{want}) {
			t.Errorf("%v: rows %q, want %q", badCell, rows, want)
		}
	}
	mixed := [][]string{report[0], report[1], slices.Clone(report[2])}
	mixed[2][len(mixed[2])-1] = "6"
	unknown := strings.ReplaceAll(file, ",5\n", ",99\n")
	for name, c := range map[string]struct {
		job  job
		code string
	}{
		"no mode":             {job{file: "Email\na@x.io\n", modeless: true}, "mode-missing"},
		"no rows":             {job{file: "Email,line,outcome,reason,contact_id,job\n", modeless: true}, "mode-missing"},
		"an unknown job":      {job{file: unknown}, "correction-unknown"},
		"several jobs":        {job{file: csvOf(t, mixed)}, "correction-unknown"},
		"said to be ordinary": {job{file: unknown, settings: &ingestv1.ImportSettings{Mapping: map[string]string{"job": "-", "contact_id": "-", "Kd": "external_id"}, DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY}}, ""},
		"no column job":       {job{file: strings.ReplaceAll(unknown, ",job\n", ",Beruf\n"), settings: &ingestv1.ImportSettings{Mapping: map[string]string{"contact_id": "-", "Kd": "external_id"}, DateOrder: ingestv1.DateOrder_DATE_ORDER_DMY}}, ""},
	} {
		c.job.of = of
		r, _ := w.validate(c.job)
		if p := r.GetRejected(); p.GetCode() != c.code || c.code != "" && p.GetHint() == "" || c.code == "" && r.GetRows() != 1 || r.GetCorrects() != "" {
			t.Errorf("%s: %v, want %q", name, r, c.code)
		}
	}
}

// Rows are found wherever they are asked for, in files of any size.
func TestOriginalsAreFoundInAnyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var file strings.Builder
	file.WriteString("Email,PIN,Note\n")
	const rows = 20_000
	for i := range rows {
		fmt.Fprintf(&file, "p%d@example.org,%d,\"%s\"\n", i, i, strings.Repeat("n\n", i%3))
	}
	of, report := w.first(3, job{file: file.String(), account: &ingestv1.AccountSettings{Fields: own()}, settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode_MODE_ADD, Mapping: map[string]string{"PIN": "pin"}}})
	body := report[1:]
	if len(body) != rows {
		t.Fatalf("%d rows", len(body))
	}
	rand.Shuffle(rows, func(i, j int) { body[i], body[j] = body[j], body[i] })
	r, got := w.validate(job{file: csvOf(t, report), of: of, modeless: true, account: &ingestv1.AccountSettings{Fields: own()}})
	if r.GetInvalid() != 0 || r.GetRows() != rows {
		t.Fatalf("result %v", r)
	}
	for i, s := range got {
		n := strings.TrimSuffix(strings.TrimPrefix(body[i][0], "p"), "@example.org")
		if !strings.Contains(s, " email=p"+n+"@example.org pin:=sealed:"+n+"/***") {
			t.Fatalf("row %d is %q", i, s)
		}
	}
}

// What was wrong is what a person came to change: there the new text counts, even where it means the same day.
func TestACorrectedCellIsNotTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of, report := w.first(12, job{file: "Email,Birth date\na@x.io,05/06/19\nb@x.io,13/06/1990\n"})
	report[1][1] = "05/06/2019"
	_, rows := w.validate(job{file: csvOf(t, report[:2]), of: of, modeless: true})
	if want := []string{"2 email=a@x.io birth_date:=2019-06-05"}; !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
}

func TestWhatIsNoNumberNamesNoJob(t *testing.T) {
	t.Parallel()
	headings := strings.Split("Email;line;outcome;reason;contact_id;job", ";")
	for cell, want := range map[string]int64{"5": 5, " 5.0": 5, "": 0, "-5": 0, "0": 0, "99999999999999999999": 0, "carpenter": 0} {
		if got, _ := reported(headings, [][]string{{"a@x.io", "2", "ADDED", "", "", cell}}, nil); got != want {
			t.Errorf("%q is of job %d, want %d", cell, got, want)
		}
	}
}

// The rows of jobs from before INVALID rows kept their secrets have a mask and nothing behind it.
func TestAMaskWithoutAValueIsLost(t *testing.T) {
	t.Parallel()
	for kind, want := range map[row.ValueKind]bool{row.Empty: false, row.Unset: true} {
		w := &worker{plan: &plan{correction: &correction{}, columns: []column{{}}}, seal: &keyring.Keyring{},
			originals: &originalReader{originals: &originals{secrets: map[string]secretAt{"pin": {}}}}}
		w.columns[0].spec.Name = "pin"
		w.was = &original{cells: [][]byte{[]byte(covered)}, secrets: []row.Value{{Kind: kind}}}
		if got, found, err := w.unmask(0, []byte(covered)); err != nil || found != want || found && got != kind {
			t.Errorf("%v is found as %v: %t, %v", kind, got, found, err)
		}
	}
}

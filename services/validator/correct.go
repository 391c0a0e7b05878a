package validator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/sheet"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// correction is a job whose report, corrected, the file is.
type correction struct {
	number int64
	job    *ingestv1.Job // what it was asked, how it was mapped
	report mapping.Report
	rows   *originals // nil where they are not to be had: what is masked stays so
}

// reported finds the job that a file says it is a report of: the number of the first row that has one. 0 for any other file.
func reported(headings []string, sample [][]string, said map[string]string) (int64, mapping.Report) {
	at, ok := mapping.ReportOf(headings, said)
	if !ok {
		return 0, at
	}
	for _, cells := range sample {
		if at.Job < len(cells) && strings.TrimSpace(cells[at.Job]) != "" {
			n, _ := wholeNumber([]byte(cells[at.Job]))
			return n, at
		}
	}
	return 0, at
}

// wholeNumber reads a number from 1 on as a spreadsheet may write it; 0 for anything else.
func wholeNumber(cell []byte) (int64, bool) {
	s := string(bytes.TrimSpace(cell))
	s = strings.TrimSuffix(strings.TrimSuffix(s, ".0"), ".00")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, false
	}
	return n, true
}

// corrects recalls the job that the file is a report of; nil where it is of none. rejected says that there is no such job.
func (j *reading) corrects(ctx context.Context, headings []string, sample [][]string) (_ *correction, rejected *ingestv1.Problem, err error) {
	number, at := reported(headings, sample, j.c.Work.Job.GetSettings().GetMapping())
	if number == 0 {
		return nil, nil, nil
	}
	if j.correction != nil && j.correction.number == number { // of the pass before
		return j.correction, nil, nil
	}
	r, err := j.c.RecallJob(ctx, number)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, unknownJob(number), nil
	case err != nil:
		return nil, nil, fmt.Errorf("recall job %d: %w", number, err)
	}
	job := withColumns(r.GetJob(), r.GetValidated())
	id, err := uuid.Parse(job.GetId())
	if err != nil {
		return nil, nil, fmt.Errorf("recall job %d: its id cannot be read", number)
	}
	c := &correction{number: number, job: job, report: at}
	if c.rows, err = j.s.newOriginals(ctx, j.c.Account, id, j.schema, r.GetValidated().GetChunks(), func(rows int64) { j.c.Progress(rows, 0) }); err != nil {
		return nil, nil, err
	}
	j.correction, j.before = c, r.GetValidated().GetHeadingsKey()
	return c, nil, nil
}

// withColumns is the job with the columns that its validation found.
func withColumns(job *ingestv1.Job, v *ingestv1.ValidateResult) *ingestv1.Job {
	if len(job.GetColumns()) == 0 && job != nil {
		job.Columns = v.GetColumns()
	}
	return job
}

// hasReport tells whether a job has rows to be corrected, as far as a job tells that.
func hasReport(job *ingestv1.Job) bool {
	switch job.GetState() {
	case ingestv1.JobState_JOB_STATE_COMPLETED, ingestv1.JobState_JOB_STATE_COMPLETED_WITH_REJECTS, ingestv1.JobState_JOB_STATE_CHECKED:
		return job.GetUndoOf() == ""
	}
	return job.GetPlan() != nil
}

func unknownJob(number int64) *ingestv1.Problem {
	return &ingestv1.Problem{Code: "correction-unknown", Message: fmt.Sprintf("The file is a report of job %d, and there is no such job whose rows are still kept.", number),
		Hint: "To hand it in as an ordinary file, take the column job away, or say --ignore job."}
}

// mixedReport is a file with rows of the reports of several jobs.
type mixedReport struct {
	line   int64
	number int64
}

func (m *mixedReport) Error() string {
	return fmt.Sprintf("line %d is not of the report of job %d", m.line, m.number)
}

func (m *mixedReport) problem() *ingestv1.Problem {
	return &ingestv1.Problem{Code: "correction-unknown", Message: fmt.Sprintf("The file is a report of job %d, but line %d says another job.", m.number, m.line),
		Hint: "Hand in the report of one job at a time; or, as an ordinary file, without the column job."}
}

// over is what is asked of a corrected report: what its own settings do not say is as it was.
func (c *correction) over(s *ingestv1.ImportSettings, schema *contact.Schema) (a asked, err error) {
	was := c.job.GetSettings()
	if a, err = askedOf(s, fields.Over(c.job.GetPolicies(), s.GetPolicies()), schema); err != nil {
		return a, err
	}
	a.said, a.values, a.drop = map[string]string{}, values(was.GetValues(), s.GetValues()), c.job.GetBadCell() == accountsv1.BadCell_BAD_CELL_DROP_CELL
	if a.mode == ingestv1.Mode_MODE_UNSPECIFIED {
		a.mode = was.GetMode()
	}
	if s.GetBadCell() != accountsv1.BadCell_BAD_CELL_UNSPECIFIED {
		a.drop = s.GetBadCell() == accountsv1.BadCell_BAD_CELL_DROP_CELL
	}
	maps.Copy(a.said, s.GetMapping())
	for _, i := range c.report.Columns() {
		a.said[place(i)] = mapping.Ignore
	}
	a.remembered = c.mapping(schema)
	return a, nil
}

// mapping is how the first job's columns were mapped, in the end.
func (c *correction) mapping(schema *contact.Schema) map[string]string {
	var r mapping.Result
	for _, col := range c.columns() {
		f, _ := schema.Field(col.GetField())
		r.Columns = append(r.Columns, mapping.Column{Heading: col.GetHeading(), Field: f})
	}
	return r.Remember(schema)
}

// columns are those of the first job's file, without what a report had added to it.
func (c *correction) columns() (out []*ingestv1.Column) {
	for _, col := range c.job.GetColumns() {
		if col.GetHow() != string(mapping.OfReport) {
			out = append(out, col)
		}
	}
	return out
}

// settle makes the columns those of a corrected report: its own ones are known as such, and dates and numbers are written
// as they were in the first file, which shows more of them.
func (c *correction) settle(columns []column) {
	own := c.report.Columns()
	for _, i := range own {
		columns[i].How, columns[i].Confidence = mapping.OfReport, 0
	}
	for i, was := range c.origins(columns) {
		if was < 0 {
			continue
		}
		columns[i].order = c.job.GetColumns()[was].GetDateOrder()
		if c.rows == nil {
			continue
		}
		if e := c.rows.numbers[was]; e != nil {
			columns[i].point = e.Decimal()
		}
	}
}

// origins are, for each column, the column of the first file that it was; -1 for none.
func (c *correction) origins(columns []column) []int {
	all := c.job.GetColumns()
	var names []string
	var at []int
	for i, col := range all {
		if col.GetHow() != string(mapping.OfReport) {
			names, at = append(names, col.GetHeading()), append(at, i)
		}
	}
	was := map[string]int{}
	for i, name := range mapping.Nth(names) {
		was[name] = at[i]
	}
	now := make([]string, len(columns))
	for i := range columns {
		now[i] = columns[i].Heading
	}
	out := make([]int, len(columns))
	for i, name := range mapping.Nth(now) {
		out[i] = -1
		if at, ok := was[name]; ok && columns[i].How != mapping.OfReport {
			out[i] = at
		}
	}
	return out
}

// wasText tells whether the first file's cells were text, and not numbers and dates of a workbook.
func (c *correction) wasText() bool { return c.job.GetFile().GetFormat() == textFormat }

// headings are those of the file; of a report without the apostrophe that it puts before what a spreadsheet would compute.
func (c *correction) headings(headings []string) []string {
	if c == nil {
		return headings
	}
	out := make([]string, len(headings))
	for i, h := range headings {
		out[i] = string(sheet.Strip([]byte(h)))
	}
	return out
}

// recall finds the row that a row of a corrected report was, and takes cells that only a spreadsheet changed as they were.
// The row is as it was read, its cells in w.row.
func (w *worker) recall(kinds []sheet.Kind) error {
	w.was = nil
	at := &w.correction.report
	job, line := w.cellAt(at.Job), w.cellAt(at.Line)
	if len(job) == 0 { // a row that was put in
		return nil
	}
	if n, _ := wholeNumber(job); n != w.correction.number {
		return &mixedReport{w.row.Line, w.correction.number}
	}
	n, ok := wholeNumber(line)
	if !ok || w.originals == nil {
		return nil
	}
	was, err := w.originals.find(n)
	if err != nil || was == nil {
		return err
	}
	known, same := 0, 0
	w.restored = w.restored[:0]
	for col, from := range w.origins {
		if from < 0 || from >= len(was.cells) || col >= len(w.row.Cells) || w.columns[col].spec.Secret {
			continue
		}
		then, now := was.cells[from], w.row.Cells[col]
		kind := sheet.Text
		if kinds != nil {
			kind = kinds[col]
		}
		counts := len(then) > 0 && w.columns[col].mapped() && !was.isBad(from)
		switch {
		case sameText(then, sheet.Strip(now)):
			w.restored = append(w.restored, restored{col, from, false})
		case counts && rewritten(then, now, kind):
			w.restored = append(w.restored, restored{col, from, true})
		case counts:
			known++
			continue
		default:
			continue
		}
		if counts {
			known, same = known+1, same+1
		}
	}
	if known > 0 && same == 0 { // the line is another row's
		return nil
	}
	w.was = was
	for _, r := range w.restored {
		then, now := was.cells[r.from], w.row.Cells[r.col]
		w.row.Cells[r.col] = then
		if kinds != nil && (r.told || w.correction.wasText()) {
			kinds[r.col] = sheet.Text
		}
		if !r.told {
			continue
		}
		w.find(string(finding.CellRestored), r.col, true, w.shown(r.col, now))
		w.row.Findings[len(w.row.Findings)-1].Repaired = w.shown(r.col, then)
	}
	return nil
}

// restored is a cell that is taken as it was.
type restored struct {
	col, from int
	told      bool
}

func (w *worker) cellAt(col int) []byte {
	if col >= len(w.row.Cells) {
		return nil
	}
	return bytes.TrimSpace(w.row.Cells[col])
}

// unmask finds the value that a masked cell stands for: that of the same field in the row that it was. false if it is lost.
// It is appended to the text; kind says what it is.
func (w *worker) unmask(col int, cell []byte) (kind row.ValueKind, found bool, err error) {
	c := &w.columns[col]
	if w.correction != nil && w.seal == nil { // nothing is to be had of it, and nothing is kept
		w.text = append(w.text, cell...)
		return row.AsText, true, nil
	}
	if w.was == nil {
		return 0, false, nil
	}
	at, ok := w.originals.secrets[c.spec.Name]
	if !ok || at.col >= len(w.was.cells) || w.was.isBad(at.col) || !bytes.Equal(w.was.cells[at.col], cell) {
		return 0, false, nil
	}
	v := w.was.secrets[at.n]
	switch v.Kind {
	case row.AsText:
	case row.Empty: // something stood there; rows that were INVALID did not always keep it
		return 0, false, nil
	default:
		return v.Kind, true, nil
	}
	plain, err := w.seal.Open(v.Text, keyring.ForRow(w.account, c.spec.Name, w.originals.job, uint64(w.was.line)))
	if err != nil {
		return 0, false, fmt.Errorf("open a secret value of the job that is corrected: %w", err)
	}
	w.text = append(w.text, plain...)
	return row.AsText, true, nil
}

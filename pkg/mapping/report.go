package mapping

import "strconv"

// ReportColumns are what a report adds behind the columns of a job's file, in this order. One that the file has already gets
// a number: line_2, if that is there too line_3, and so on.
var ReportColumns = [...]string{"line", "outcome", "reason", "contact_id", "job"}

// Report is where the columns of a report stand in a file, from 0.
type Report struct {
	Line, Outcome, Reason, ContactID, Job int
}

// Columns are the positions, in the order of ReportColumns.
func (r Report) Columns() [len(ReportColumns)]int {
	return [...]int{r.Line, r.Outcome, r.Reason, r.ContactID, r.Job}
}

// ReportOf finds the columns of a report among a file's headings, in any order. It is none where one of them is missing, or
// where the submitter said what the column of the job is.
func ReportOf(headings []string, said map[string]string) (Report, bool) {
	h := newHeadings(headings)
	last := make(map[string]int, len(headings))
	for i, s := range h.compared {
		last[s] = i
	}
	var at [len(ReportColumns)]int
	for c, name := range ReportColumns {
		i, ok := last[name]
		if !ok {
			return Report{}, false
		}
		for n := 2; ; n++ { // the report's is the last one: those before it were there
			next, ok := last[name+"_"+strconv.Itoa(n)]
			if !ok {
				break
			}
			i = next
		}
		at[c] = i
	}
	r := Report{at[0], at[1], at[2], at[3], at[4]}
	return r, h.resolve(said, true, map[string]bool{})[r.Job] == ""
}

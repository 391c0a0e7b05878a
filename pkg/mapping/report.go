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
// where the submitter said what the column of the job is. A file may have had line_2 without line: of columns that could be
// the report's, those that stand together as it wrote them are.
func ReportOf(headings []string, said map[string]string) (Report, bool) {
	h := newHeadings(headings)
	last := make(map[string]int, len(headings))
	for i, s := range h.compared {
		last[s] = i
	}
	var at [len(ReportColumns)]int
	var may [len(ReportColumns)]map[int]bool
	for c, name := range ReportColumns {
		may[c] = map[int]bool{}
		for n, numbered := 1, name; ; numbered = name + "_" + strconv.Itoa(n) {
			i, ok := last[numbered]
			if !ok {
				break
			}
			at[c], may[c][i] = i, true // the one with the highest number: those before it were there
			n++
		}
		if len(may[c]) == 0 {
			return Report{}, false
		}
	}
	together := func(from int) bool {
		for c := range may {
			if !may[c][from+c] {
				return false
			}
		}
		return true
	}
	if at != following(at[0]) {
		for i := len(headings) - len(at); i >= 0; i-- {
			if together(i) {
				at = following(i)
				break
			}
		}
	}
	r := Report{at[0], at[1], at[2], at[3], at[4]}
	return r, h.resolve(said, true, map[string]bool{})[r.Job] == ""
}

// following are the positions of a report's columns where they stand together.
func following(from int) (at [len(ReportColumns)]int) {
	for c := range at {
		at[c] = from + c
	}
	return at
}

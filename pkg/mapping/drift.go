package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
)

// alike is how much of two files' columns has to be the same for one to be taken for a later edition of the other: columns
// of both by columns of either, and more than this.
const alike = .5

// Earlier is a file that was imported before.
type Earlier struct {
	Job      int64 // number of its job
	Headings []string
	Keys     []EarlierKey // its columns that were mapped to unique keys
}

// EarlierKey is a column that was mapped to a unique key.
type EarlierKey struct{ Heading, Field string }

// Like finds the file, of those imported before, that has the same columns, or else the one that is most like this one; the
// first of equals. It returns -1 where none is alike.
func Like(headings []string, earlier []Earlier) (i int, same bool) {
	now := setOf(headings)
	best, share := -1, 0.
	for i := range earlier {
		s := jaccard(now, setOf(earlier[i].Headings))
		if s == 1 {
			return i, true
		}
		if s > alike && s > share {
			best, share = i, s
		}
	}
	return best, false
}

func setOf(headings []string) map[string]bool {
	set := make(map[string]bool, len(headings))
	for _, h := range headings {
		if s := compared(h); s != "" {
			set[s] = true
		}
	}
	return set
}

func jaccard(a, b map[string]bool) float64 {
	both := 0
	for s := range a {
		if b[s] {
			both++
		}
	}
	if either := len(a) + len(b) - both; either > 0 {
		return float64(both) / float64(either)
	}
	return 0
}

// Drift asks about a file that has lost a column by which contacts were recognised in an earlier file like it: by then its
// rows would become new contacts beside those they mean. found is what Map made of the request. nil where there is
// nothing to ask, also where a person said what becomes of that column.
func Drift(r Request, found Result, earlier []Earlier) *Question {
	d := &drift{mapper: &mapper{Request: r, headings: newHeadings(r.Headings), columns: found.Columns}}
	if found.HeadingIsData {
		return nil
	}
	i, same := Like(r.Headings, earlier)
	if same {
		return nil
	}
	if i < 0 {
		if i = d.renamed(earlier); i < 0 {
			return nil
		}
	}
	d.was, d.had = earlier[i], setOf(earlier[i].Headings)
	return d.ask()
}

// drift is a file held against an earlier one.
type drift struct {
	*mapper
	was Earlier
	had map[string]bool
}

// renamed finds an earlier file of few columns that differs from this one in a single column, whose new name means nothing.
func (d *drift) renamed(earlier []Earlier) int {
	now := setOf(d.Headings)
	return slices.IndexFunc(earlier, func(e Earlier) bool {
		d.had = setOf(e.Headings)
		if len(now) != len(d.had) || len(d.candidates(contact.NoField)) != 1 {
			return false
		}
		gone := 0
		for s := range d.had {
			if !now[s] {
				gone++
			}
		}
		return gone == 1 && len(now) > 1
	})
}

// ask asks about the first key that is gone. Email and phone are asked about only where nothing else is left by which the
// earlier file's contacts were recognised.
func (d *drift) ask() *Question {
	left := false
	for _, k := range d.was.Keys {
		f, ok := d.Schema.Field(k.Field)
		left = left || ok && d.column(f) >= 0
	}
	for _, weak := range []bool{false, true} {
		for _, f := range d.Schema.Fields() {
			spec, _ := d.Schema.Spec(f)
			n := slices.IndexFunc(d.was.Keys, func(k EarlierKey) bool { return k.Field == spec.Name })
			if n < 0 || !spec.Key.Unique() || !d.matchedBy(spec.Key) || weak != (f == contact.FieldEmail || f == contact.FieldPhone) || weak && left {
				continue
			}
			if q := d.askAbout(f, d.was.Keys[n].Heading); q != nil {
				return q
			}
		}
	}
	return nil
}

// askAbout asks about one key, nil where it has its column.
func (d *drift) askAbout(f contact.Field, was string) *Question {
	name := d.Schema.Name(f)
	if i := d.column(f); i >= 0 {
		if d.columns[i].How != Similar || d.headings.compared[i] == compared(was) {
			return nil
		}
		columns, other := []int{i}, ""
		if next := d.candidates(f); len(next) > 0 {
			columns, other = append(columns, next...), fmt.Sprintf(" if another column has it now: %s %s;", answer, option(d.call(next[0]), name))
		}
		return &Question{Code: "key-column-gone", Columns: columns,
			Message: fmt.Sprintf("In job %d, a file like this one, the column %s was %s; here it is gone, and %s only looks like it.", d.was.Job, cut(was), name, cut(d.headings.given[i])),
			Hint: fmt.Sprintf("If it is the same, say so: %s %s;%s if the file is meant without: %s --confirm %s.",
				answer, option(d.call(i), name), other, answer, option(d.call(i), Ignore))}
	}
	for i := range d.columns { // it is here, and somebody said that it is not to be used
		if d.headings.compared[i] == compared(was) && d.columns[i].How != "" {
			return nil
		}
	}
	next := d.candidates(f)
	example := "HEADING=" + name
	if len(next) > 0 {
		example = `"` + d.call(next[0]) + "=" + name + `"`
	}
	return &Question{Code: "key-column-gone", Columns: next,
		Message: fmt.Sprintf("In job %d, a file like this one, the column %s was %s; this file has none, so that contacts known by it may be made a second time.", d.was.Job, cut(was), name),
		Hint:    fmt.Sprintf("Say which column has it now: %s --map %s; or, if the file is meant without: %s --confirm.", answer, example, answer)}
}

// column is the column mapped to a field, or -1.
func (d *drift) column(f contact.Field) int {
	return slices.IndexFunc(d.columns, func(c Column) bool { return c.Field == f })
}

// candidates are the columns that are new and mean nothing so far: first those whose name comes near the field, then the most
// filled ones.
func (d *drift) candidates(f contact.Field) []int {
	var out []int
	for i := range d.columns {
		if c := &d.columns[i]; c.Field == contact.NoField && c.How == "" && !d.had[d.headings.compared[i]] && d.headings.compared[i] != "" {
			out = append(out, i)
		}
	}
	filled := func(i int) (n int) {
		for _, row := range d.Sample {
			if i < len(row) && strings.TrimSpace(row[i]) != "" {
				n++
			}
		}
		return n
	}
	guessed := func(i int) int {
		if f != contact.NoField && d.columns[i].Guess == f {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Or(guessed(b)-guessed(a), filled(b)-filled(a)) })
	return out
}

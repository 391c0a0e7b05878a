package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
)

// Operation is something that is done to an account. As text it is a line of words:
//
//	upsert list=L asof=3 hand=keep keys=email,phone never=city newest=* | phone=P1 city=Rome | id=#2 city=UNSET at=4 | !bad
//	addfile, update       the other modes
//	check upsert ...      predict only
//	cancel upsert ...     cancelled when all is done but the commit
//	review upsert ...     predict, and keep that as the plan of the job
//	approve 3             apply the job with that number as its plan says
//	add phone=P1 list=L   by hand
//	set #1 phone=UNSET    by hand
//	call #1 list=L        a call leaves its ending at a contact on a list
//	undo 3                take back the job with that number
//	preview 3             predict that
//
// The job's number is the number of the operation, from 1, and so is the time in hours at which it happens; a job under review
// keeps both.
type Operation struct {
	Kind     string   // import, check, cancel, review, approve, add, set, call, undo, preview
	Job      Job      // import, check, cancel, review; of its rows the lines are those of a file with a heading
	Contact  int      // set, call
	Words    Words    // add, set
	Lists    []string // add; call: one
	Of       int      // undo, preview, approve
	AsOfSaid bool
}

// Hour is what times in operations are counted in.
const Hour = 3600

// fileMode is how the mode of a file is written, apart from adding by hand.
var fileMode = map[row.Mode]string{row.Add: "addfile", row.Update: "update", row.Upsert: "upsert"}

// Parse reads the line of the nth operation, from 1.
func Parse(s *contact.Schema, n int, line string) (op Operation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("operation %d, %q: %v", n, line, p)
		}
	}()
	parts := strings.Split(line, "|")
	head := strings.Fields(parts[0])
	kind := head[0]
	head = head[1:]
	switch kind {
	case "add":
		return Operation{Kind: kind, Lists: lists(head), Words: words(s, head)}, nil
	case "set":
		return Operation{Kind: kind, Contact: contactOf(head[0]), Words: words(s, head[1:])}, nil
	case "call":
		return Operation{Kind: kind, Contact: contactOf(head[0]), Lists: lists(head)}, nil
	case "undo", "preview", "approve":
		return Operation{Kind: kind, Of: number(head[0])}, nil
	case "check", "cancel", "review":
		op.Kind, kind, head = kind, head[0], head[1:]
	default:
		op.Kind = "import"
	}
	op.Job = Job{Number: n, AsOf: int64(n) * Hour, Policies: Policies{Rules: map[contact.Field]Rule{}}}
	for mode, name := range fileMode {
		if name == kind {
			op.Job.Mode = mode
		}
	}
	if op.Job.Mode == 0 {
		panic("no operation is called " + kind)
	}
	for _, word := range head {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "list":
			op.Job.List = value
		case "asof":
			op.Job.AsOf, op.AsOfSaid = int64(number(value))*Hour, true
		case "hand":
			op.Job.Policies.HandMade = value
		case "keys":
			for _, k := range strings.Split(value, ",") {
				key, ok := s.KeyNamed(k)
				if !ok {
					panic("no key is called " + k)
				}
				op.Job.Policies.Keys = append(op.Job.Policies.Keys, key)
			}
		case string(Never), string(IfEmpty), string(Newest):
			for _, f := range strings.Split(value, ",") {
				op.Job.Policies.Rules[field(s, f)] = Rule(name)
			}
		default:
			panic("what is " + word)
		}
	}
	for i, part := range parts[1:] {
		x := Row{Line: i + 2}
		cells := strings.Fields(part)
		if bad, ok := strings.CutPrefix(strings.TrimSpace(part), "!"); ok {
			x.Bad, cells = bad, nil
		}
		x.Words = words(s, cells)
		for _, c := range cells {
			if id, ok := strings.CutPrefix(c, "id="); ok {
				x.ID = contactOf(id)
			}
			if at, ok := strings.CutPrefix(c, "at="); ok {
				x.AsOf, x.Said = int64(number(at))*Hour, true
			}
		}
		op.Job.Rows = append(op.Job.Rows, x)
	}
	return op, nil
}

// String writes the operation as Parse reads it.
func (op Operation) String(s *contact.Schema) string {
	var b strings.Builder
	switch op.Kind {
	case "add":
		return strings.TrimSpace("add " + op.Words.text(s) + " " + strings.Join(each("list=", op.Lists), " "))
	case "set":
		return "set " + name(op.Contact) + " " + op.Words.text(s)
	case "call":
		return "call " + name(op.Contact) + " " + strings.Join(each("list=", op.Lists), " ")
	case "undo", "preview", "approve":
		return fmt.Sprintf("%s %d", op.Kind, op.Of)
	case "check", "cancel", "review":
		b.WriteString(op.Kind + " ")
	}
	j := op.Job
	b.WriteString(fileMode[j.Mode])
	option := func(name, value string) {
		if value != "" {
			b.WriteString(" " + name + "=" + value)
		}
	}
	option("list", j.List)
	if op.AsOfSaid {
		option("asof", fmt.Sprint(j.AsOf/Hour))
	}
	option("hand", j.Policies.HandMade)
	var keys []string
	for _, k := range j.Policies.Keys {
		keys = append(keys, s.KeyName(k))
	}
	option("keys", strings.Join(keys, ","))
	for _, r := range []Rule{Never, IfEmpty, Newest} {
		var fields []string
		for _, f := range inOrder(j.Policies.Rules) {
			if j.Policies.Rules[f] == r {
				fields = append(fields, s.Name(f))
			}
		}
		option(string(r), strings.Join(fields, ","))
	}
	for _, x := range j.Rows {
		b.WriteString(" |")
		if x.Bad != "" {
			b.WriteString(" !" + x.Bad)
			continue
		}
		if x.ID != 0 {
			option("id", name(x.ID))
		}
		if len(x.Words) > 0 {
			b.WriteString(" " + x.Words.text(s))
		}
		if x.Said {
			option("at", fmt.Sprint(x.AsOf/Hour))
		}
	}
	return b.String()
}

// text is the words in the order of the fields.
func (w Words) text(s *contact.Schema) string {
	var all []string
	for _, f := range inOrder(w) {
		all = append(all, s.Name(f)+"="+w[f].text())
	}
	return strings.Join(all, " ")
}

func (w Word) text() string {
	if w.Clear {
		return "UNSET"
	}
	return w.Value
}

func words(s *contact.Schema, all []string) Words {
	w := Words{}
	for _, word := range all {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			panic("what is " + word)
		}
		if !slices.Contains([]string{"list", "id", "at"}, name) {
			w[field(s, name)] = Word{Value: value}
			if value == "UNSET" {
				w[field(s, name)] = Word{Clear: true}
			}
		}
	}
	return w
}

func lists(all []string) (names []string) {
	for _, word := range all {
		if name, ok := strings.CutPrefix(word, "list="); ok {
			names = append(names, name)
		}
	}
	return names
}

func field(s *contact.Schema, name string) contact.Field {
	f, ok := s.Field(name)
	if !ok {
		panic("no field is called " + name)
	}
	return f
}

func contactOf(word string) int { return number(strings.TrimPrefix(word, "#")) }

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

func each(before string, all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = before + s
	}
	return out
}

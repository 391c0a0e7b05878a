package mapping_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contact/finding"
	"github.com/contactmill/contactmill/pkg/mapping"
	"github.com/google/go-cmp/cmp"
)

func TestLookAlikes(t *testing.T) {
	t.Parallel()
	headings := []string{"First name", "\u0415mail", "Phone", "T\u0435l.", "Gebu\u0433tsdatum", "Телефoн", "Имя", "Straße", "Ｐｌｚ", "\u0395-mail"}
	res := mapping.Map(mapping.Request{Headings: headings[:2]})
	if c := res.Columns[1]; c.Field != contact.FieldEmail || c.How != mapping.Similar || c.Confidence > .9 {
		t.Errorf("a Cyrillic letter in Email: %+v", c)
	}
	var warned []int
	for _, w := range mapping.Map(mapping.Request{Headings: headings}).Warnings {
		if w.Code != finding.HeadingLookAlike {
			t.Errorf("warning %q", w.Code)
		}
		warned = append(warned, w.Column)
	}
	if want := []int{1, 3, 5, 9}; !slices.Equal(warned, want) {
		t.Errorf("warned of %v, want %v", warned, want)
	}
	res = mapping.Map(mapping.Request{Headings: []string{"\u0415mail", "Email"}})
	if res.Question != nil || res.Columns[0].Field != contact.NoField || res.Columns[1].Field != contact.FieldEmail || len(res.Warnings) != 1 {
		t.Errorf("the real one beside it: %+v", res)
	}
}

// TestConsentIsNeverGuessed tries every heading of the corpora and every slip in them against an account whose fields are
// about consent and secrets alone.
func TestConsentIsNeverGuessed(t *testing.T) {
	t.Parallel()
	schema, err := contact.NewSchema([]contact.Spec{
		{Number: contact.FirstCustom, Name: "email_ok", Label: "Email allowed", Type: contact.TypeAuthorisation, Key: contact.NoKey, Headings: []string{"Subscribed to emails OK", "Opted in"}},
		{Number: contact.FirstCustom + 1, Name: "sms_ok", Label: "SMS allowed", Type: contact.TypeAuthorisation, Key: contact.NoKey},
		{Number: contact.FirstCustom + 2, Name: "diagnosis", Label: "Diagnosis", Type: contact.TypeText, Secret: true, Key: contact.NoKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	fits := map[string]bool{"ssn": true, "socsecid": true, "emailok": true, "emailallowed": true, "subscribedtoemailsok": true, "optedin": true, "smsok": true, "smsallowed": true, "diagnosis": true,
		"socialsecuritynumber": true}
	headings := []string{"Email allowed", "Email allowd", "Subscribed to email OK", "SMS alowed", "Diagnossi", "Your diagnosis", "Opted-in", "opted_in1", "Opted im"}
	names, of := vendors(t)
	for _, name := range names {
		for _, w := range of[name] {
			headings = append(headings, w.heading)
		}
	}
	for _, h := range headings {
		for n, try := range append(slips(h), h) {
			if n%5 != 0 && n != len(slips(h)) {
				continue
			}
			res := mapping.Map(mapping.Request{Headings: []string{try}, Schema: schema, Sample: [][]string{{"True"}, {"False"}, {"True"}, {"Empty"}, {"536-22-1234"}}})
			f := res.Columns[0].Field
			if s, ok := schema.Spec(f); !ok || !s.Secret && s.Type != contact.TypeAuthorisation {
				f = res.Columns[0].Guess
				if s, ok := schema.Spec(f); !ok || !s.Secret && s.Type != contact.TypeAuthorisation {
					continue
				}
			}
			folded := string(contact.AppendFolded(nil, []byte(strings.ReplaceAll(try, "#", "number"))))
			if how := res.Columns[0].How; how != mapping.Name && how != mapping.Word || how == mapping.Name && !fits[folded] {
				t.Errorf("%q (%s) is taken for %s by %q", try, folded, schema.Name(f), how)
			}
		}
	}
}

func TestHeadingsKey(t *testing.T) {
	t.Parallel()
	key := func(headings ...string) [32]byte { return mapping.Map(mapping.Request{Headings: headings}).HeadingsKey }
	same := key("Email", "First name", "Ref")
	for _, other := range [][]string{{"Ref", "Email", "First name"}, {"EMAIL", "first  name ", "ref"}, {"\ufeffEmail", "Ｆirst name", "Re\u200bf"}} {
		if key(other...) != same {
			t.Errorf("%q has another key", other)
		}
	}
	for _, other := range [][]string{{"Email", "First name"}, {"Email", "First name", "Ref", "Ref"}, {"Email", "First nameRef"}, {"E-mail", "First name", "Ref"}, {}} {
		if key(other...) == same {
			t.Errorf("%q has the same key", other)
		}
	}
}

func TestRemember(t *testing.T) {
	t.Parallel()
	schema := own(t)
	headings := []string{"Ref", "Email", "Size", "Email", "", "#2"}
	first := mapping.Map(mapping.Request{Headings: headings, Schema: schema, Said: map[string]string{"Ref": "external_id", "Size": "shoe_size", "#2": "-", "#4": "email", "#5": "city", "#6": "-"}})
	if first.Question != nil {
		t.Fatal(first.Question)
	}
	kept := first.Remember(schema)
	want := map[string]string{"Ref": "external_id", "Size": "shoe_size", "#1 of email": "-", "#2 of email": "email", "#1 of": "city", "#1 of #2": "-"}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	again := mapping.Map(mapping.Request{Headings: []string{"Size", "", "Email", "Ref", "#2", "EMAIL"}, Schema: schema, Remembered: kept})
	if again.Question != nil || again.HeadingsKey != first.HeadingsKey {
		t.Errorf("in another order: %+v", again)
	}
	var got []string
	for _, c := range again.Columns {
		got = append(got, string(c.How)+":"+schema.Name(c.Field))
	}
	if diff := cmp.Diff([]string{"remembered:shoe_size", "remembered:city", "remembered:", "remembered:external_id", "remembered:", "remembered:email"}, got); diff != "" {
		t.Errorf("in another order (-want +got):\n%s", diff)
	}
	if data := mapping.Map(mapping.Request{Headings: []string{"ada@example.com"}, Said: map[string]string{"#1": "email"}}); !data.HeadingIsData || data.Remember(nil) != nil {
		t.Errorf("somebody's address is remembered as a heading: %+v", data)
	}
}

// TestQuestionsAreSafe looks at what people are told about headings that are meant for something else.
func TestQuestionsAreSafe(t *testing.T) {
	t.Parallel()
	for _, heading := range []string{"Email`id`", "Email $(id)", `Email"; id; "`, "Email\nX", "Email=x", "-Email", "#Email", "<b>Email</b>", "Email\u202e", "Email%PATH%", "Email!", "Email\x1b[2J", strings.Repeat("Email ", 60)} {
		res := mapping.Map(mapping.Request{Headings: []string{heading, "Email"}, Said: map[string]string{"#1": "email", "#2": "email"}})
		if res.Question == nil {
			t.Fatalf("%q: no question", heading)
		}
		if want := `contactmill jobs answer JOB --map "#1=email" --map "Email=-"`; res.Question.Hint != "Say which it is and ignore the other: "+want && heading != "Email\u202e" {
			t.Errorf("%q: %s, want %s", heading, res.Question.Hint, want)
		}
		if strings.ContainsAny(res.Question.Message, "\n\x1b\u202e") || len(res.Question.Message) > 400 {
			t.Errorf("%q: %s", heading, res.Question.Message)
		}
	}
	row := []string{"Ada", "ada@example.com", "+44 20 7946 0018"}
	q := mapping.Map(mapping.Request{Headings: row}).Question
	if q == nil {
		t.Fatal("a row for a heading: no question")
	}
	for _, cell := range row {
		if strings.Contains(q.Message+q.Hint, cell) {
			t.Errorf("%q is told to everybody: %s %s", cell, q.Message, q.Hint)
		}
	}
}

// wide is a file of as many columns as there may be, with headings that take long.
func wide(t testing.TB) mapping.Request {
	names, of := vendors(t)
	var headings []string
	for _, name := range names {
		for _, w := range of[name] {
			if len(headings) < 256 && len(w.heading) > 6 {
				headings = append(headings, w.heading+fmt.Sprint(" x", len(headings)))
			}
		}
	}
	row := slices.Repeat([]string{"Ada Lovelace", "ada@example.com", "+44 20 7946 0018", "1815-12-10"}, 64)
	return mapping.Request{Headings: headings, Sample: slices.Repeat([][]string{row}, 50), Schema: own(t)}
}

func BenchmarkMap(b *testing.B) {
	r := wide(b)
	b.ReportAllocs()
	for b.Loop() {
		mapping.Map(r)
	}
}

func FuzzMap(f *testing.F) {
	names, of := vendors(f)
	for _, name := range names {
		var line []string
		for _, w := range of[name] {
			line = append(line, w.heading)
		}
		f.Add(strings.Join(line, "\x00"), "ada@example.com\x00+44 20 7946 0018\x001815-12-10\x011\x002\x003", "Email\x00email\x00#2\x00-")
	}
	f.Add("\u0415mail\x00\ufeff\x00#1\x00#1 of ", "", "#1 of \x00email\x00#1\x00phone")
	schema := own(f)
	f.Fuzz(func(t *testing.T, headings, sample, said string) {
		r := mapping.Request{Headings: strings.Split(headings, "\x00"), Schema: schema, Said: map[string]string{}}
		if len(r.Headings) > 256 {
			return
		}
		r.Compared = len(sample)%2 == 1
		r.Keys = [...]uint16{0, 1 << contact.ExternalID, 1 << contact.NameBirthZip}[len(said)%3]
		for row := range strings.SplitSeq(sample, "\x01") {
			r.Sample = append(r.Sample, strings.Split(row, "\x00"))
		}
		pairs := strings.Split(said, "\x00")
		for i := 0; i+1 < len(pairs); i += 2 {
			r.Said[pairs[i]] = pairs[i+1]
		}
		res := mapping.Map(r)
		if len(res.Columns) != len(r.Headings) || res.Question != nil && res.Problem != nil {
			t.Fatalf("%d columns of %d, question %v, problem %v", len(res.Columns), len(r.Headings), res.Question, res.Problem)
		}
		if again := mapping.Map(r); !reflect.DeepEqual(res, again) {
			t.Fatalf("the same request, another result:\n%s", cmp.Diff(res, again))
		}
		fields := map[contact.Field]bool{}
		for i, c := range res.Columns {
			spec, known := schema.Spec(c.Field)
			switch {
			case c.Heading != r.Headings[i], c.Confidence < 0 || c.Confidence > 1, (c.Field != contact.NoField) != known:
				t.Fatalf("column %d: %+v", i, c)
			case known && c.How != mapping.Said && c.Confidence < mapping.Enough:
				t.Fatalf("column %d is mapped with too little: %+v", i, c)
			case known && (c.How == mapping.Similar || c.How == mapping.Word && c.Field >= contact.FirstCustom) && (spec.Secret || spec.Type == contact.TypeAuthorisation),
				c.How == mapping.Similar && c.Field == contact.FieldChangedAt:
				t.Fatalf("column %d is guessed: %+v", i, c)
			case known && res.Question == nil && res.Problem == nil && fields[c.Field]:
				t.Fatalf("two columns are %s and nobody is asked", spec.Name)
			}
			fields[c.Field] = true
		}
		if q := res.Question; q != nil && (!strings.Contains(q.Hint, "contactmill jobs answer JOB") || strings.ContainsAny(q.Hint, "$`\n\x1b")) {
			t.Fatalf("hint %q", q.Hint)
		}
		if res.Question != nil || res.Problem != nil {
			return
		}
		again := mapping.Map(mapping.Request{Headings: r.Headings, Schema: schema, Sample: r.Sample, Remembered: res.Remember(schema), Keys: r.Keys, Compared: r.Compared})
		for i, c := range again.Columns {
			if !res.HeadingIsData && c.Field != res.Columns[i].Field {
				t.Fatalf("remembered: column %d is %s, was %s", i, schema.Name(c.Field), schema.Name(res.Columns[i].Field))
			}
		}
	})
}

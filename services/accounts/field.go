package accounts

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
)

// The limits of an account's own fields. Every one is named by the refusal that it leads to.
const (
	mostFields      = 200
	mostUnique      = 8   // keys firstKey and up; those of retired fields are not given again
	mostNameBytes   = 63  // of a field's name, which is ASCII
	mostLabelRunes  = 200 // of a field's label, a heading, a code's label
	mostHeadings    = 50
	mostLength      = 10_000 // characters of a value
	defaultLength   = 1000
	mostCodes       = 10_000 // of a field, retired ones among them
	mostCodeRunes   = 64
	mostFieldsBytes = 2 << 20 // all fields of an account with their code books; half of what a message may have

	firstKey    = 8
	lastNumber  = 1<<16 - 1
	firstNumber = int32(contact.FirstCustom)
)

// field is one of an account's own.
type field struct {
	Number    int32
	Name      string
	Label     string
	Type      fieldType
	Required  bool
	Key       int16 // 0 for one that is not unique
	MaxLength int32 // 0 for types that have none
	Headings  []string
	CreatedAt time.Time
	Codes     []code // in the book's order, retired ones among them
}

// code is a line of a code book.
type code struct {
	Code    string
	Label   string
	Retired bool
}

// fieldType is a type as it is stored.
type fieldType string

const (
	text          fieldType = "text"
	number        fieldType = "number"
	date          fieldType = "date"
	boolean       fieldType = "boolean"
	criterion     fieldType = "criterion"
	criteria      fieldType = "criteria"
	authorisation fieldType = "authorisation"
	secret        fieldType = "secret"
)

// measured tells whether values have a length that can be bounded.
func (t fieldType) measured() bool { return t == text || t == secret }

// coded tells whether values are codes of a book.
func (t fieldType) coded() bool { return t == criterion || t == criteria }

// mayBeUnique tells whether rows can be recognised by a field of the type.
func (t fieldType) mayBeUnique() bool { return t == text || t == number || t == date }

// reserved is what reports put beside the columns of a file: a field of such a name would be filled by a report that is
// handed in again.
var reserved = []string{"line", "outcome", "reason"}

// called is what files may call fields by: name, label or heading, folded, to the field's name. One word stands for one
// field.
type called map[string]string

// standardCalled is what the standard fields are called by.
func standardCalled() called {
	c := called{}
	for _, f := range contact.Fields() {
		spec, _ := f.Spec()
		c[foldedHeading(spec.Name)] = spec.Name
		c[foldedHeading(spec.Label)] = spec.Name
	}
	return c
}

// claim takes all words of a field. Its error is Exists and names the word that another field has.
func (c called) claim(f *field) error {
	for _, word := range slices.Concat([]string{f.Name, f.Label}, f.Headings) {
		folded := foldedHeading(word)
		if owner, taken := c[folded]; taken && owner != f.Name {
			return fault.New(fault.Exists, "field-name-taken", "%q stands for the field %s already", word, owner).
				Hint("names, labels and headings are compared without case, accents, spaces and punctuation")
		}
		c[folded] = f.Name
	}
	return nil
}

// foldedHeading is what headings of files are compared by.
func foldedHeading(s string) string { return string(contact.AppendFolded(nil, []byte(s))) }

// foldedCode is what codes and their labels are told apart by: case, accents, width, runs of spaces and the dashes and
// quotes of typography do not matter. Punctuation does: A+ and A- are two codes. Whatever a file's cell may be taken for
// alike is alike here too.
func foldedCode(s string) string {
	s = norm.NFKD.String(cases.Fold().String(norm.NFKC.String(s)))
	s = strings.Map(func(r rune) rune {
		switch {
		case r == 0x34F || unicode.Is(unicode.Cf, r): // shows nothing
			return ' '
		case r >= 0x300 && r <= 0x36F: // the accents of Latin, Greek and Cyrillic; marks of other scripts make other letters
			return -1
		case r >= 0x2010 && r <= 0x2015, r == 0x2212:
			return '-'
		case r == 0x2018, r == 0x2019:
			return '\''
		case r == 0x201C, r == 0x201D:
			return '"'
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// put adds the codes to the field's book, or changes those that it has, and returns the lines that it touched with their
// places in the book, from 1. A line without a label keeps the one it has; a new one gets its code.
func (f *field) put(codes []code) ([]int32, error) {
	if !f.Type.coded() {
		return nil, fault.New(fault.Precondition, "no-code-book", "the field %s is of the type %s and has no codes", f.Name, f.Type).
			Hint("codes belong to fields of the types criterion and criteria")
	}
	at := make(map[string]int, len(f.Codes)+len(codes))
	for i := range f.Codes {
		at[f.Codes[i].Code] = i
	}
	touched, twice := []int32{}, map[string]bool{}
	for _, c := range codes {
		if twice[c.Code] {
			return nil, fault.New(fault.Invalid, "code-twice", "the code %q is given twice", c.Code)
		}
		twice[c.Code] = true
		i, known := at[c.Code]
		switch {
		case !known:
			i = len(f.Codes)
			at[c.Code] = i
			f.Codes = append(f.Codes, c)
		case c.Label == "":
			c.Label = f.Codes[i].Label
		}
		if c.Label == "" {
			c.Label = c.Code
		}
		f.Codes[i] = c
		touched = append(touched, int32(i+1))
	}
	if len(f.Codes) > mostCodes {
		return nil, fault.New(fault.Precondition, "too-many-codes", "a field has at most %d codes, retired ones among them; %s would have %d", mostCodes, f.Name, len(f.Codes))
	}
	return touched, f.distinct()
}

// distinct refuses two lines of a book that a file could mean by one value.
func (f *field) distinct() error {
	owner := make(map[string]int, 2*len(f.Codes))
	for i, c := range f.Codes {
		for _, s := range []string{c.Code, c.Label} {
			folded := foldedCode(s)
			if j, taken := owner[folded]; taken && j != i {
				return fault.New(fault.Exists, "codes-alike", "the codes %q and %q of the field %s cannot be told apart: %q is code or label of both, but for case, accents and spaces",
					f.Codes[j].Code, c.Code, f.Name, s).
					Hint("a file may have the label instead of the code, so each word stands for one code; a retired code keeps its words until its label is changed")
			}
			owner[folded] = i
		}
	}
	return nil
}

package cli

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// said is what flags say of a file: how it is read and what its columns and values mean. Import, inspect and answers to a
// question take the same.
type said struct {
	maps, ignored, values                     []string
	order                                     string
	delimiter, quote, escape, encoding, sheet string
	headerLine                                int64
	mapping                                   map[string]string
	dateOrder                                 ingestv1.DateOrder
	reading                                   *ingestv1.Reading // nil if nothing is said
	valueMaps                                 map[string]*ingestv1.ValueMap
}

// flags adds the flags.
func (s *said) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&s.maps, "map", nil, "HEADING=FIELD, e.g. --map customer_no=external_id; FIELD - ignores the column, #3 is the third column")
	f.StringArrayVar(&s.ignored, "ignore", nil, "HEADING of a column to leave out; #3 is the third column")
	f.StringArrayVar(&s.values, "value", nil, "FIELD:FILEVALUE=CODE, what a value in the file means, e.g. --value colour:rouge=R")
	f.StringVar(&s.order, "date-order", "", "YMD, DMY or MDY; found from the file if not given")
	f.StringVar(&s.delimiter, "delimiter", "", `character between cells, \t for a tab; found if not given`)
	f.StringVar(&s.quote, "quote", "", "character around cells, or none; found if not given")
	f.StringVar(&s.escape, "escape", "", `a quote within quotes: double, or \ before it; found if not given`)
	f.StringVar(&s.encoding, "encoding", "", "charset as the web names it, e.g. windows-1252, shift_jis; found if not given")
	f.StringVar(&s.sheet, "sheet", "", "sheet of a workbook; needed if several have data")
	f.Int64Var(&s.headerLine, "header-line", 0, "line of the column names, from 1; found if not given")
}

// read takes what the flags say. Its errors are of usage.
func (s *said) read() error {
	var err error
	if s.mapping, err = mapping(s.maps); err != nil {
		return err
	}
	for _, heading := range s.ignored {
		if to, twice := s.mapping[heading]; heading == "" || twice && to != "-" {
			return usage{fmt.Errorf("--ignore %q: say the HEADING of a column that is not mapped", heading)}
		}
		s.mapping[heading] = "-"
	}
	if s.dateOrder, err = dateOrder(s.order); err != nil {
		return err
	}
	if s.valueMaps, err = valueMaps(s.values); err != nil {
		return err
	}
	return s.readReading()
}

func (s *said) readReading() error {
	switch s.delimiter {
	case `\t`, "tab", "TAB":
		s.delimiter = "\t"
	}
	if utf8.RuneCountInString(s.delimiter) > 1 {
		return usage{fmt.Errorf(`--delimiter %q: say one character, or \t for a tab`, s.delimiter)}
	}
	if s.quote = strings.ToLower(s.quote); s.quote != "none" && utf8.RuneCountInString(s.quote) > 1 {
		return usage{fmt.Errorf("--quote %q: say one character, or none", s.quote)}
	}
	switch s.escape = strings.ToLower(s.escape); s.escape {
	case "", "double", `\`:
	case "backslash":
		s.escape = `\`
	default:
		return usage{fmt.Errorf(`--escape %q: say double or \`, s.escape)}
	}
	if s.headerLine < 0 {
		return usage{errors.New("--header-line: lines are counted from 1")}
	}
	r := &ingestv1.Reading{Delimiter: s.delimiter, Quote: s.quote, Escape: s.escape, Encoding: s.encoding, Sheet: s.sheet, HeadingLine: s.headerLine}
	if s.delimiter+s.quote+s.escape+s.encoding+s.sheet != "" || s.headerLine != 0 {
		s.reading = r
	}
	return nil
}

// settings puts what is said into the settings of an import.
func (s *said) settings(to *ingestv1.ImportSettings) {
	to.Mapping, to.DateOrder, to.Reading, to.Values = s.mapping, s.dateOrder, s.reading, s.valueMaps
}

// mapping reads HEADING=FIELD pairs; the heading may hold an equals sign, a field never does.
func mapping(pairs []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range pairs {
		i := strings.LastIndexByte(s, '=')
		if i < 1 || i == len(s)-1 {
			return nil, usage{fmt.Errorf("--map %q: say HEADING=FIELD", s)}
		}
		m[s[:i]] = s[i+1:]
	}
	return m, nil
}

// valueMaps reads FIELD:FILEVALUE=CODE; the value may hold colons and equals signs, a field holds no colon and a code that
// is given here no equals sign.
func valueMaps(all []string) (map[string]*ingestv1.ValueMap, error) {
	if len(all) == 0 {
		return nil, nil
	}
	m := map[string]*ingestv1.ValueMap{}
	for _, s := range all {
		field, rest, found := strings.Cut(s, ":")
		i := strings.LastIndexByte(rest, '=')
		if !found || field == "" || i < 1 {
			return nil, usage{fmt.Errorf("--value %q: say FIELD:FILEVALUE=CODE", s)}
		}
		if m[field] == nil {
			m[field] = &ingestv1.ValueMap{Values: map[string]string{}}
		}
		value, code := rest[:i], rest[i+1:]
		if old, twice := m[field].Values[value]; twice && old != code {
			return nil, usage{fmt.Errorf("--value %q: %s is said to be %s already", s, value, old)}
		}
		m[field].Values[value] = code
	}
	return m, nil
}

func dateOrder(s string) (ingestv1.DateOrder, error) {
	if s == "" {
		return 0, nil
	}
	v, ok := ingestv1.DateOrder_value["DATE_ORDER_"+strings.ToUpper(s)]
	if !ok || v == 0 {
		return 0, usage{fmt.Errorf("--date-order %q: say YMD, DMY or MDY", s)}
	}
	return ingestv1.DateOrder(v), nil
}

package sheet_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactmill/contactmill/pkg/sheet"
	"github.com/google/go-cmp/cmp"
)

// corpora returns the files of the corpora that match: in CONTACTMILL_CORPORA, or in ../shared/data beside the repository.
func corpora(t testing.TB, pattern string) []string {
	t.Helper()
	root := os.Getenv("CONTACTMILL_CORPORA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("CORPUS ABSENT, NOTHING PROVEN HERE: set CONTACTMILL_CORPORA to the folder that holds %s", pattern)
	}
	return files
}

func readFile(t testing.TB, name string, d sheet.Dialect) (table, error) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return read(f, d, sheet.DefaultLimits())
}

// maps makes an object of each row; an empty cell is an absent key if absent is set.
func (t table) maps(absent bool) []map[string]string {
	all := []map[string]string{}
	for _, r := range t.Rows {
		m := map[string]string{}
		for i, c := range r.Cells {
			if i < len(t.Heading) && (c != "" || !absent) {
				m[t.Heading[i]] = c
			}
		}
		all = append(all, m)
	}
	return all
}

func TestSpectrumCorpus(t *testing.T) {
	t.Parallel()
	equal := 0
	for _, name := range corpora(t, "csv_spectrum/csvs/*.csv") {
		got, err := readFile(t, name, sheet.Dialect{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		base := strings.TrimSuffix(filepath.Base(name), ".csv")
		if base == "location_coordinates" { // its twin is wrong
			continue
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(name), "..", "json", base+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want []map[string]string
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), `\r\n`, `\n`)), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.maps(false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", base, diff)
			continue
		}
		equal++
	}
	if equal != 11 {
		t.Errorf("%d of 11 equal", equal)
	}
}

func TestW3CCorpus(t *testing.T) {
	t.Parallel()
	pairs := map[string]string{}
	for _, twin := range corpora(t, "w3c_csvw/plain/test*.json") {
		pairs[twin] = strings.TrimSuffix(twin, ".json") + ".csv"
		if _, err := os.Stat(pairs[twin]); err != nil {
			pairs[twin] = filepath.Join(filepath.Dir(twin), "countries.csv")
		}
	}
	for twin, name := range pairs {
		base := filepath.Base(twin)
		got, err := readFile(t, name, sheet.Dialect{})
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		text, err := os.ReadFile(twin)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Tables []struct {
				Row []struct{ Describes []map[string]string }
			}
		}
		want := []map[string]string{}
		if json.Unmarshal(text, &want) != nil { // the standard form; the minimal one is the rows alone
			want = want[:0]
			if err := json.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			for _, r := range doc.Tables[0].Row {
				want = append(want, r.Describes[0])
			}
		}
		if diff := cmp.Diff(want, got.maps(true)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", base, diff)
		}
	}
	if len(pairs) != 9 {
		t.Errorf("%d pairs in the corpus, want 9", len(pairs))
	}
}

func TestPapaCorpus(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(corpora(t, "papaparse/papaparse_cases.json")[0])
	if err != nil {
		t.Fatal(err)
	}
	type papaCase struct {
		Description string
		Input       json.RawMessage
		Config      map[string]any
		Expected    json.RawMessage
	}
	var cases map[string][]papaCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	plain, equal := 0, 0
	for _, kind := range []string{"CORE_PARSER_TESTS", "PARSE_TESTS"} {
		for _, c := range cases[kind] {
			d := sheet.Dialect{}
			usable := true
			for k, v := range c.Config {
				s, ok := v.(string)
				switch {
				case k == "delimiter" && ok && len(s) == 1:
					d.Delimiter = s[0]
				case k == "quoteChar" && ok && len(s) == 1:
					d.Quote = s[0]
				case k == "newline" && ok:
				default:
					usable = false
				}
			}
			var in string
			var want struct {
				Data   [][]string
				Errors []any
			}
			if !usable || json.Unmarshal(c.Input, &in) != nil || json.Unmarshal(c.Expected, &want) != nil || len(want.Errors) > 0 || len(want.Data) == 0 {
				continue
			}
			plain++
			kept := [][]string{}
			for _, r := range want.Data {
				for i := range r {
					r[i] = strings.ReplaceAll(r[i], "\r\n", "\n")
				}
				if strings.TrimSpace(strings.Join(r, "")) != "" {
					kept = append(kept, r)
				}
			}
			got := [][]string{}
			f, err := sheet.Open(strings.NewReader(in), sheet.Options{Dialect: d})
			if err == nil {
				got = append(got, f.Heading)
				p := sheet.NewParser(f.Dialect, sheet.DefaultLimits(), nil)
				for b, err := range f.Blocks() {
					if err != nil {
						t.Fatal(err)
					}
					p.Reset(b)
					for rec := p.Next(); rec != nil; rec = p.Next() {
						one := []string{}
						for _, cell := range rec.Cells {
							one = append(one, string(cell))
						}
						got = append(got, one)
					}
				}
			}
			if cmp.Equal(kept, got) {
				equal++
			} else {
				t.Logf("%s: %q: %v, want %v (%v)", c.Description, in, got, kept, err)
			}
		}
	}
	t.Logf("%d of %d plain cases equal", equal, plain)
	if equal*66 < plain*60 {
		t.Errorf("%d of %d plain cases equal, want 60 of 66", equal, plain)
	}
}

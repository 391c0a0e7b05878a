package contact_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

func TestEmailCorpus(t *testing.T) {
	t.Parallel()
	accepted, refused, soft := 0, 0, 0
	for _, row := range corpusRows(t, "isemail/isemail_tests.csv") {
		_, code := contact.AppendEmail(nil, []byte(row["address"]))
		switch row["category"] {
		case "ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN":
			if code.Failed() {
				t.Errorf("%s: %q refused with %s, want it taken", row["id"], row["address"], code)
			} else {
				accepted++
			}
		case "ISEMAIL_ERR":
			if !code.Failed() {
				t.Errorf("%s: %q taken, want it refused", row["id"], row["address"])
			} else {
				refused++
			}
		case "ISEMAIL_DEPREC", "ISEMAIL_RFC5322", "ISEMAIL_RFC5321":
			if !code.Failed() {
				t.Errorf("%s: %q (%s) taken, want it refused", row["id"], row["address"], row["diagnosis"])
			} else {
				soft++
			}
		case "ISEMAIL_CFWS":
			if strings.Contains(row["address"], "(") && !code.Failed() {
				t.Errorf("%s: %q taken, want the comment refused", row["id"], row["address"])
			}
		}
	}
	if accepted != 22 || refused != 66 {
		t.Errorf("%d of 22 taken, %d of 66 refused", accepted, refused)
	}
	t.Logf("%d of 22 taken, %d of 66 refused, %d of deprecated and other forms refused", accepted, refused, soft)
}

func TestCongressCorpus(t *testing.T) {
	t.Parallel()
	n := contact.NewNormaliser()
	rules := contact.Rules{Country: contact.CountryByCode("US"), Today: day(t, 2026, 11, 21)}
	rows := corpusRows(t, "congress/legislators_contacts.csv")
	dates, phones := 0, 0
	for _, row := range rows {
		if got, code := n.Append(nil, contact.FieldBirthDate, []byte(row["birth_date"]), rules); code == "" && string(got) == row["birth_date"] {
			dates++
		}
		if got, code := n.Append(nil, contact.FieldPhone, []byte(row["phone"]), rules); code == "" && len(got) == 12 {
			phones++
		}
		for _, f := range []contact.Field{contact.FieldFirstName, contact.FieldLastName, contact.FieldAddress} {
			if got, code := n.Append(nil, f, []byte(row[f.String()]), rules); code != "" || string(got) != strings.TrimSpace(row[f.String()]) {
				t.Errorf("%s %q became %q, %q", f, row[f.String()], got, code)
			}
		}
	}
	if len(rows) != 537 || dates != 537 || phones != 536 {
		t.Errorf("%d rows, %d dates, %d phones; want 537, 537, 536", len(rows), dates, phones)
	}
	t.Logf("%d rows: %d dates, %d phones", len(rows), dates, phones)
}

func day(t testing.TB, y, m, d int) contact.Date {
	t.Helper()
	date, ok := contact.DateOf(y, m, d)
	if !ok {
		t.Fatalf("no day %d-%d-%d", y, m, d)
	}
	return date
}

func TestZipCorpus(t *testing.T) {
	t.Parallel()
	total, right := 0, 0
	for _, row := range corpusRows(t, "libaddressinput/postal_rules.csv") {
		if row["zip_examples"] == "" || row["zip_regex"] == "" || contact.CountryByCode(row["country"]) == 0 {
			continue
		}
		rule := regexp.MustCompile("^(?:" + row["zip_regex"] + ")$")
		for _, example := range strings.Split(row["zip_examples"], ",") {
			total++
			got, code := contact.AppendZip(nil, []byte(example), contact.CountryByCode(row["country"]))
			if code == "" {
				right++
			}
			if (code == "") != rule.MatchString(example) {
				t.Logf("%s %q: %q %q, the rule says %v", row["country"], example, got, code, rule.MatchString(example))
			}
			if again, code2 := contact.AppendZip(nil, got, contact.CountryByCode(row["country"])); code == "" && (code2 != "" || string(again) != string(got)) {
				t.Errorf("%s %q became %q and that %q, %q", row["country"], example, got, again, code2)
			}
		}
	}
	if total != 430 || right < 427 {
		t.Errorf("%d of %d example codes, want 427 of 430", right, total)
	}
	t.Logf("%d of %d example codes", right, total)
}

func TestCountryCorpus(t *testing.T) {
	t.Parallel()
	var list struct {
		Countries []map[string]string `json:"3166-1"`
	}
	if err := json.NewDecoder(corpus(t, "iso_codes/iso_3166-1.json")).Decode(&list); err != nil {
		t.Fatal(err)
	}
	n := contact.NewNormaliser()
	asked, right := 0, 0
	for _, c := range list.Countries {
		for _, key := range []string{"alpha_2", "alpha_3", "numeric", "name", "common_name", "official_name"} {
			for _, form := range []string{c[key], strings.ToLower(c[key]), " " + strings.ToUpper(c[key])} {
				if c[key] == "" {
					continue
				}
				asked++
				if got, code := n.Append(nil, contact.FieldCountry, []byte(form), contact.Rules{}); code != "" || string(got) != c["alpha_2"] {
					t.Errorf("%s %q is %q, %q; want %s", key, form, got, code, c["alpha_2"])
				} else {
					right++
				}
			}
		}
	}
	if len(list.Countries) != 249 || right != asked {
		t.Errorf("%d countries, %d of %d codes and names resolved; want 249, and all", len(list.Countries), right, asked)
	}
	t.Logf("%d of %d codes and names of %d countries resolved", right, asked, len(list.Countries))
}

// Codes and names of the parts of countries are text: they go in as they are.
func TestSubdivisionCorpus(t *testing.T) {
	t.Parallel()
	var list struct {
		Parts []struct{ Code, Name string } `json:"3166-2"`
	}
	if err := json.NewDecoder(corpus(t, "iso_codes/iso_3166-2.json")).Decode(&list); err != nil {
		t.Fatal(err)
	}
	n := contact.NewNormaliser()
	right := 0
	for _, p := range list.Parts {
		code, failed := n.Append(nil, contact.FieldState, []byte(p.Code), contact.Rules{})
		name, failed2 := n.Append(nil, contact.FieldState, []byte(p.Name), contact.Rules{})
		if failed == "" && !failed2.Failed() && string(code) == p.Code && string(name) == norm.NFC.String(strings.TrimSpace(p.Name)) && contact.CountryByCode(p.Code[:2]) != 0 {
			right++
		} else {
			t.Errorf("%s %q: %q with %q, %q with %q", p.Code, p.Name, code, failed, name, failed2)
		}
	}
	if right != len(list.Parts) || right < 5000 {
		t.Errorf("%d of %d", right, len(list.Parts))
	}
	t.Logf("%d of %d parts of countries kept, code and name", right, len(list.Parts))
}

func TestCountryNamesInTenLanguages(t *testing.T) {
	t.Parallel()
	countries := contact.NewCountries()
	for name, want := range map[string]string{
		"Germany": "DE", "Deutschland": "DE", "Allemagne": "DE", "Alemania": "DE", "Germania": "DE", "Alemanha": "DE", "Duitsland": "DE", "Niemcy": "DE", "Германия": "DE", "德国": "DE",
		"Österreich": "AT", "España": "ES", "Verenigde Staten": "US", "Stati Uniti": "US", "中国": "CN", "Россия": "RU", "ΕΛΛΆΔΑ": "", "Republic of Nowhere": "", "Korea": "", "276": "DE", "999": "",
		"Guinea": "GN", "Georgia": "GE", "Niger": "NE", "Republic of the Niger": "NE", "Federal Republic of Nigeria": "NG", "Democratic Republic of the Congo": "CD", "Republic of the Congo": "CG",
	} {
		if got := countries.Find([]byte(name)).String(); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestVATCorpus(t *testing.T) {
	t.Parallel()
	union := "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
	total, right := 0, 0
	for _, row := range corpusRows(t, "jsvat/vat_cases.csv") {
		if !strings.Contains(union, row["country"]) {
			continue
		}
		total++
		_, code := contact.AppendVAT(nil, []byte(row["vat"]), 0)
		if (code == "") == (row["expect"] == "valid") { // one that is valid by its form alone has wrong check digits
			right++
		} else {
			t.Logf("%s %s: %q, the corpus says %s", row["country"], row["vat"], code, row["expect"])
		}
	}
	if total != 1890 || right < 1881 {
		t.Errorf("%d of %d VAT numbers, want 1881 of 1890", right, total)
	}
	t.Logf("%d of %d VAT numbers of the Union as the corpus has them", right, total)
}

func TestNaughtyStrings(t *testing.T) {
	t.Parallel()
	var naughty []string
	if err := json.NewDecoder(corpus(t, "blns/blns.json")).Decode(&naughty); err != nil {
		t.Fatal(err)
	}
	n := contact.NewNormaliser()
	own := contact.Spec{Name: "note", Type: contact.TypeText, MaxRunes: 2000, MaxBytes: 8000, Key: contact.NoKey}
	kept := 0
	var refused []int
	for i, s := range naughty {
		for _, f := range contact.Fields() {
			out, code := n.Append([]byte("kept"), f, []byte(s), contact.Rules{})
			if !strings.HasPrefix(string(out), "kept") || code.Failed() && len(out) != 4 {
				t.Errorf("%s %q: %q, %q", f, s, out, code)
			}
		}
		company, _ := contact.FieldCompany.Spec()
		name, _ := contact.FieldLastName.Spec()
		equal := 0
		for _, spec := range []contact.Spec{own, company, name} {
			out, code := n.AppendSpec(nil, &spec, []byte(s), contact.Rules{})
			again, second := n.AppendSpec(nil, &spec, out, contact.Rules{})
			if code.Failed() || second.Failed() || string(again) != string(out) || string(out) != strings.TrimFunc(norm.NFC.String(s), blank) {
				t.Errorf("%q as %s became %q with %q, and that %q with %q", s, spec.Name, out, code, again, second)
				continue
			}
			equal++
		}
		if equal == 3 {
			kept++
		} else {
			refused = append(refused, i)
		}
	}
	if diff := cmp.Diff([]int(nil), refused); diff != "" || kept != len(naughty) {
		t.Errorf("the strings that were refused (-want +got):\n%s", diff)
	}
	t.Logf("%d of %d as name, company and own field: in, and in again", kept, len(naughty))
}

// blank is what counts as nothing at the edges of a cell.
func blank(r rune) bool { return unicode.IsSpace(r) || r == 0x200B || r == 0x2060 || r == 0xFEFF }

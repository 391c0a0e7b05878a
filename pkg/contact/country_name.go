package contact

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/contactmill/contactmill/pkg/contact/finding"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Countries reads country names. Its table is built on first use from the names of the Unicode CLDR.
type Countries struct {
	once  sync.Once
	names map[string]Country // folded name
}

// NewCountries returns a reader of country names that is safe for concurrent use.
func NewCountries() *Countries { return &Countries{} }

// Append appends the ISO alpha-2 code of a country given as that code, as its alpha-3 or numeric code, or by its name in one
// of the ten languages that headings are read in.
func (n *Countries) Append(dst, cell []byte) ([]byte, Code) {
	c := n.Find(cell)
	if c == 0 {
		return dst, finding.CountryUnknown
	}
	return c.Append(dst), ""
}

// Find returns the country a cell names, or 0.
func (n *Countries) Find(cell []byte) Country {
	cell = trim(cell, false)
	if len(cell) == 2 {
		return countryByCode(cell)
	}
	if len(cell) > 256 {
		return 0
	}
	n.once.Do(n.build)
	var buf [256]byte
	if c := n.names[string(AppendFolded(buf[:0], cell))]; c != 0 {
		return c
	}
	if rest, ok := untitled(cell); ok {
		return n.names[string(AppendFolded(buf[:0], rest))]
	}
	return 0
}

// untitled cuts the form of the state off an official name: the rest of "Kingdom of the Netherlands" is a name by itself.
func untitled(cell []byte) ([]byte, bool) {
	var title, rest []byte
	for i := 1; i+4 < len(cell) && rest == nil; i++ {
		if cell[i] == ' ' && bytes.EqualFold(cell[i:i+4], []byte(" of ")) {
			title, rest = cell[:i], cell[i+4:]
		}
	}
	for word := range bytes.FieldsSeq(bytes.ToLower(title)) {
		switch string(word) {
		case "the", "republic", "kingdom", "state", "states", "commonwealth", "principality", "confederation", "sultanate", "union", "grand", "duchy",
			"federal", "federative", "federated", "democratic", "people's", "people’s", "socialist", "islamic", "arab", "united", "independent",
			"plurinational", "bolivarian", "hashemite", "eastern":
		default:
			return nil, false
		}
	}
	if len(rest) > 4 && bytes.EqualFold(rest[:4], []byte("the ")) {
		rest = rest[4:]
	}
	return rest, true
}

func (n *Countries) build() {
	n.names = make(map[string]Country, 4000)
	english := display.English.Regions()
	var regions []language.Region
	var countries []Country
	for a := byte('A'); a <= 'Z'; a++ {
		for b := byte('A'); b <= 'Z'; b++ {
			c := countryOf(a, b)
			if c == 0 {
				continue
			}
			region, err := language.ParseRegion(string([]byte{a, b}))
			if err != nil {
				continue // newer than the tables: still known by its code
			}
			regions, countries = append(regions, region), append(countries, c)
			name := []byte(english.Name(region))
			n.add(name, c)
			spelled := bytes.ReplaceAll(name, []byte("&"), []byte("and"))
			n.add(spelled, c)
			n.add(bytes.ReplaceAll(spelled, []byte("St."), []byte("Saint")), c)
			n.add([]byte(region.ISO3()), c)
			if numeric := region.M49(); numeric > 0 {
				n.add(fmt.Appendf(nil, "%03d", numeric), c)
			}
		}
	}
	for name, code := range map[string]string{
		"USA": "US", "U.S.": "US", "United States of America": "US", "America": "US",
		"UK": "GB", "Great Britain": "GB", "England": "GB", "Scotland": "GB", "Wales": "GB", "Northern Ireland": "GB",
		"Russian Federation": "RU", "Korea, Republic of": "KR", "Republic of Korea": "KR", "Korea (South)": "KR",
		"Korea, Democratic People's Republic of": "KP", "Democratic People's Republic of Korea": "KP",
		"Argentine Republic": "AR", "Swiss Confederation": "CH", "French Republic": "FR", "Gabonese Republic": "GA", "Hellenic Republic": "GR",
		"Italian Republic": "IT", "Kyrgyz Republic": "KG", "Lebanese Republic": "LB", "United Mexican States": "MX", "Portuguese Republic": "PT",
		"Rwandese Republic": "RW", "Slovak Republic": "SK", "Togolese Republic": "TG", "Virgin Islands of the United States": "VI",
		"Hong Kong Special Administrative Region of China": "HK", "Macao Special Administrative Region of China": "MO",
		"United Kingdom of Great Britain and Northern Ireland": "GB", "Czech Republic": "CZ", "Holland": "NL", "The Netherlands": "NL",
		"Macedonia": "MK", "Swaziland": "SZ", "Burma": "MM", "Myanmar": "MM", "Ivory Coast": "CI", "Cape Verde": "CV", "Turkey": "TR",
		"Viet Nam": "VN", "Iran, Islamic Republic of": "IR", "Syrian Arab Republic": "SY", "Holy See": "VA", "Holy See (Vatican City State)": "VA",
		"Moldova, Republic of": "MD", "Tanzania, United Republic of": "TZ", "Bolivia, Plurinational State of": "BO",
		"Venezuela, Bolivarian Republic of": "VE", "Lao People's Democratic Republic": "LA", "Brunei Darussalam": "BN",
		"Hong Kong": "HK", "Macau": "MO", "Macao": "MO", "Taiwan, Province of China": "TW", "East Timor": "TL",
		"Palestine": "PS", "Palestine, State of": "PS", "Congo": "CG", "Congo, The Democratic Republic of the": "CD",
		"Democratic Republic of the Congo": "CD", "Republic of Ireland": "IE", "Falkland Islands (Malvinas)": "FK",
		"Micronesia, Federated States of": "FM", "Virgin Islands, British": "VG", "Virgin Islands, U.S.": "VI",
		"Saint Martin (French part)": "MF", "Sint Maarten (Dutch part)": "SX", "The Bahamas": "BS", "The Gambia": "GM",
		"Pitcairn": "PN", "Curacao": "CW", "Reunion": "RE", "Cote d'Ivoire": "CI",
		"Saint Helena, Ascension and Tristan da Cunha": "SH", "Bonaire, Sint Eustatius and Saba": "BQ",
		"South Georgia and the South Sandwich Islands": "GS", "United States Minor Outlying Islands": "UM",
		"Heard Island and McDonald Islands": "HM", "Cocos (Keeling) Islands": "CC", "Türkiye": "TR", "Czechia": "CZ",
		"Eswatini": "SZ", "North Macedonia": "MK", "Cabo Verde": "CV", "Sao Tome and Principe": "ST", "Saint Vincent and the Grenadines": "VC", "Kosovo": "XK",
	} {
		n.add([]byte(name), CountryByCode(code))
	}
	n.addForeign(regions, countries)
}

// addForeign adds the names in the other languages that headings are read in, unless one means different countries.
func (n *Countries) addForeign(regions []language.Region, countries []Country) {
	foreign := make(map[string]Country, 3000)
	for _, tag := range []language.Tag{language.German, language.French, language.Spanish, language.Italian, language.Portuguese, language.Dutch,
		language.Polish, language.Russian, language.Chinese} {
		names := display.Regions(tag)
		for i, region := range regions {
			key := string(AppendFolded(nil, []byte(names.Name(region))))
			if other, ok := foreign[key]; ok && other != countries[i] {
				foreign[key] = 0
				continue
			}
			foreign[key] = countries[i]
		}
	}
	for key, c := range foreign {
		if _, ok := n.names[key]; !ok && c != 0 && key != "" {
			n.names[key] = c
		}
	}
}

func (n *Countries) add(name []byte, c Country) {
	if key := string(AppendFolded(nil, name)); key != "" {
		n.names[key] = c
	}
}

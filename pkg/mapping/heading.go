package mapping

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/contact"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// longest is the length in bytes from which on a heading is compared as it stands: nobody's word for a field is that long.
const longest = 1200

// headings are the line of column names in the forms that they are told apart and looked up by.
type headings struct {
	given    []string
	compared []string // as headings are told apart, see [compared]
	folded   []string // as words are looked up: letters and digits alone, without accents; empty for what is no word
}

func newHeadings(given []string) headings {
	h := headings{given: given, compared: make([]string, len(given)), folded: make([]string, len(given))}
	for i, s := range given {
		h.compared[i], h.folded[i] = compared(s), fold(s)
	}
	return h
}

// compared is how headings are told apart: NFKC, without case, invisible characters and superfluous spaces.
func compared(heading string) string {
	if len(heading) > longest {
		return strings.TrimSpace(heading)
	}
	if ascii(heading) {
		return strings.ToLower(strings.Join(strings.Fields(heading), " "))
	}
	s := cases.Fold().String(norm.NFKC.String(visible(heading)))
	return strings.Join(strings.Fields(norm.NFC.String(s)), " ")
}

// fold is how words are looked up.
func fold(s string) string {
	if len(s) > longest {
		return ""
	}
	s = strings.ReplaceAll(s, "#", "number")
	return string(contact.AppendFolded(nil, []byte(s)))
}

// visible is a text without the characters that show nothing.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || r == 0x34F {
			return -1
		}
		return r
	}, s)
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// key is a hash of the headings as they are compared, each as often as it occurs, in no order.
func (h headings) key() [32]byte {
	sorted := slices.Sorted(slices.Values(h.compared))
	var text []byte
	for _, s := range sorted {
		text = binary.AppendUvarint(text, uint64(len(s)))
		text = append(text, s...)
	}
	return sha256.Sum256(text)
}

// place names a column by its position.
func place(i int) string { return "#" + strconv.Itoa(i+1) }

// isPlace tells a position from a heading.
func isPlace(key string) bool {
	digits, ok := strings.CutPrefix(key, "#")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// isNth tells whether a key as it is compared says which of several columns it means.
func isNth(key string) bool {
	first, _, ok := strings.Cut(key+" ", " of ")
	return ok && isPlace(first)
}

// Nth names each heading by which it is of those that are told apart from it in no way: "#2 of email".
func Nth(headings []string) []string { return newHeadings(headings).nth() }

// nth names each column by which it is of those with its heading.
func (h headings) nth() []string {
	names, seen := make([]string, len(h.given)), make(map[string]int, len(h.given))
	for i, s := range h.compared {
		seen[s]++
		names[i] = strings.TrimSpace("#" + strconv.Itoa(seen[s]) + " of " + s)
	}
	return names
}

// lasting names the columns in a way that outlives another order of them: by their headings where these tell them apart
// and from names of other kinds.
func (h headings) lasting() []string {
	names, all := h.nth(), make(map[string]int, len(h.given))
	for _, s := range h.compared {
		all[s]++
	}
	for i, s := range h.compared {
		if all[s] == 1 && s != "" && !isPlace(s) && !isNth(s) {
			names[i] = strings.TrimSpace(h.given[i])
		}
	}
	return names
}

// resolve finds for each column the key of said that names it, or "". Positions go before which of several it is, that
// before headings as they are written, these before headings as they are compared. Keys that name a column are marked as used.
func (h headings) resolve(said map[string]string, places bool, used map[string]bool) []string {
	found := make([]string, len(h.given))
	if len(said) == 0 {
		return found
	}
	written := make(map[string]bool, len(h.given))
	for _, s := range h.given {
		written[strings.TrimSpace(s)] = true
	}
	byPlace, byNth, exact, loose := map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		name, in := strings.TrimSpace(key), loose
		switch {
		case isPlace(name):
			in = byPlace
		case isNth(compared(name)):
			name, in = compared(name), byNth
		case written[name]:
			in = exact
		default:
			name = compared(name)
		}
		if name != "" && in[name] == "" {
			in[name] = key
		}
	}
	nth := h.nth()
	for i := range h.given {
		keys := []string{byNth[nth[i]], exact[strings.TrimSpace(h.given[i])], loose[h.compared[i]]}
		if places {
			keys = slices.Insert(keys, 0, byPlace[place(i)])
		}
		for _, key := range keys {
			if key == "" {
				continue
			}
			used[key] = true
			if found[i] == "" {
				found[i] = key
			}
		}
	}
	return found
}

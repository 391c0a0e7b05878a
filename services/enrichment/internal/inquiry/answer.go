package inquiry

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/contactmill/contactmill/pkg/fault"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// What the contract allows in an answer.
const (
	maxFactName  = 64
	maxFactValue = 1 << 10
	maxFacts     = 64 // of one set
)

// ownDigits is how many last digits tell one phone from others.
const ownDigits = 7

// busy is a provider's wish to be asked again later.
type busy struct {
	error
	after time.Duration
}

func (b *busy) Unwrap() error { return b.error }

// check holds an answer against the question, its price for a subject and the contract. A provider that breaks it is as good as away.
func check(a *providerv1.EnrichResponse, q *providerv1.EnrichRequest, price int64) error {
	subjects := len(q.Subjects)
	if wait := a.RetryAfter; wait != nil {
		after := max(0, wait.AsDuration())
		return &busy{fault.New(fault.Unavailable, codeBusy, "it asks to come back in %s", after), after}
	}
	if a.BatchId != q.BatchId {
		return bad("another batch")
	}
	if len(a.PhoneFacts) != subjects || len(a.EmailFacts) != subjects || len(a.SubjectChecks) != subjects {
		return bad("%d, %d and %d answers to %d subjects", len(a.PhoneFacts), len(a.EmailFacts), len(a.SubjectChecks), subjects)
	}
	for i, s := range q.Subjects {
		if a.SubjectChecks[i] != subjectCheck(s) {
			return bad("subject %d is answered by a record of somebody else", i)
		}
	}
	if len(a.FactSets) > 2*subjects {
		return bad("%d sets of facts on %d subjects", len(a.FactSets), subjects)
	}
	if a.CostMicros < 0 || a.CostMicros > price*int64(subjects) {
		return bad("a cost of %d millionths for %d subjects at %d each", a.CostMicros, subjects, price)
	}
	for _, s := range a.FactSets {
		if err := checkSet(s); err != nil {
			return err
		}
	}
	for i, s := range q.Subjects {
		p, m := int64(a.PhoneFacts[i]), int64(a.EmailFacts[i])
		if max(p, m) > int64(len(a.FactSets)) {
			return bad("a set of facts that is not there")
		}
		if p != 0 && s.Phone == "" || m != 0 && s.Email == "" {
			return bad("facts about a value that was not asked about")
		}
	}
	return nil
}

func checkSet(s *providerv1.FactSet) error {
	if len(s.Facts) == 0 || len(s.Facts) > maxFacts {
		return bad("a set of %d facts", len(s.Facts))
	}
	names := make(map[string]bool, len(s.Facts))
	for _, f := range s.Facts {
		if !factName(f.Name) || !factValue(f.Value) {
			return bad("a fact with a name or value out of bounds")
		}
		if names[f.Name] {
			return bad("a fact that is told twice")
		}
		names[f.Name] = true
	}
	return nil
}

func bad(format string, args ...any) error {
	return fault.New(fault.Unavailable, "provider-answer", "its answer breaks the contract: "+format, args...)
}

// discreet is a provider's error without what it says, where that may tell whom it was asked about.
func discreet(err error, q *providerv1.EnrichRequest) error {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, s)
	}
	text := err.Error()
	names, numbers := strings.Contains(text, "@"), digits(text)
	for _, s := range q.Subjects {
		own := digits(s.Phone)
		own = own[max(0, len(own)-ownDigits):]
		names = names || own != "" && strings.Contains(numbers, own)
	}
	if !names {
		return err
	}
	return fault.New(fault.Of(err), fault.Code(err), "it says so in words that may be about people and are not told").Hint("%s", fault.HintOf(err))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// subjectCheck is the sum that an answer about a subject has to carry.
func subjectCheck(s *providerv1.Subject) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(s.Phone))
	sum = crc32.Update(sum, castagnoli, []byte{0})
	return crc32.Update(sum, castagnoli, []byte(s.Email))
}

func factName(s string) bool {
	if s == "" || len(s) > maxFactName {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return true
}

func factValue(s string) bool {
	if len(s) > maxFactValue || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// known counts the subjects that the provider knows something of.
func known(a *providerv1.EnrichResponse) int {
	n := 0
	for i := range a.PhoneFacts {
		if a.PhoneFacts[i] != 0 || a.EmailFacts[i] != 0 {
			n++
		}
	}
	return n
}

// unknown is what is said of a value that was asked about and is not known.
const unknown = "{}"

// answer is a provider's, as rows are told it.
type answer struct {
	sets          [][]byte // JSON; the first says that nothing is known
	phones, mails []uint32
}

func read(a *providerv1.EnrichResponse) (*answer, error) {
	r := &answer{sets: [][]byte{[]byte(unknown)}, phones: a.PhoneFacts, mails: a.EmailFacts}
	for _, set := range a.FactSets {
		m := make(map[string]string, len(set.Facts))
		for _, f := range set.Facts {
			m[f.Name] = f.Value
		}
		b, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("write facts of batch %s: %w", a.BatchId, err)
		}
		r.sets = append(r.sets, b)
	}
	return r, nil
}

// size is about how many bytes an answer takes.
func (a *answer) size() int {
	n := 4 * (len(a.phones) + len(a.mails))
	for _, s := range a.sets {
		n += cap(s) + 24
	}
	return n
}

// mostCached bounds the answers at hand, in bytes: those on millions of subjects of which the same few things are known.
// mostFetched is how many answers are got at once.
const (
	mostCached  = 64 << 20
	mostFetched = 32
)

// cache is the answers at hand, by batch.
type cache struct {
	of   map[string]*answer
	size int
}

func newCache() *cache { return &cache{of: map[string]*answer{}} }

func (c *cache) has(batch string) bool { return batch == nowhere || c.of[batch] != nil }

func (c *cache) put(batch string, a *answer) {
	if c.of[batch] == nil {
		c.size += a.size()
	}
	c.of[batch] = a
}

// missing lists the batches that the next rows need and that are not at hand. Where those at hand are many, they go.
func (c *cache) missing(rows []asked) (need []string) {
	if c.size >= mostCached {
		clear(c.of)
		c.size = 0
	}
	seen := map[string]bool{}
	for i := range rows {
		for _, id := range [...]string{rows[i].ofPhone.batch, rows[i].ofEmail.batch} {
			if !c.has(id) && !seen[id] {
				seen[id] = true
				need = append(need, id)
			}
		}
		if len(need) >= mostFetched {
			break
		}
	}
	return need
}

func (c *cache) phone(p place) []byte {
	a := c.of[p.batch]
	if a == nil {
		return nil
	}
	return a.sets[a.phones[p.at]]
}

func (c *cache) email(p place) []byte {
	a := c.of[p.batch]
	if a == nil {
		return nil
	}
	return a.sets[a.mails[p.at]]
}

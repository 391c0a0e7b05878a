package testprovider

import (
	"fmt"
	"hash/crc32"
	"strings"

	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// What may be known.
var (
	phoneFacts = []string{"line_type", "mark"}
	emailFacts = []string{"mailbox", "mark"}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Phone is what the provider knows of a phone: nothing, unless its last digit is odd and it is of a country. The mark is the CRC-32C of the value, in
// hexadecimal, by which a test tells whose fact it is.
func Phone(phone string) map[string]string {
	if !odd(phone) || strings.HasPrefix(phone, "+999") {
		return nil
	}
	return map[string]string{"line_type": "mobile", "mark": mark(phone)}
}

// Email is what the provider knows of an email: nothing, unless what stands before the @ ends in an odd digit and what stands
// behind it may be.
func Email(email string) map[string]string {
	if name, domain, _ := strings.Cut(email, "@"); !odd(name) || strings.HasSuffix(domain, ".invalid") {
		return nil
	}
	return map[string]string{"mailbox": "open", "mark": mark(email)}
}

func odd(s string) bool {
	if s == "" {
		return false
	}
	c := s[len(s)-1]
	return c >= '0' && c <= '9' && c%2 == 1
}

func mark(value string) string { return fmt.Sprintf("%08x", crc32.Checksum([]byte(value), castagnoli)) }

// answer is the right one.
func answer(q *providerv1.EnrichRequest, cost int64) *providerv1.EnrichResponse {
	a := &providerv1.EnrichResponse{BatchId: q.BatchId, CostMicros: cost}
	sets := map[string]uint32{}
	set := func(value string, names []string, facts map[string]string) uint32 {
		if facts == nil {
			return 0
		}
		n, ok := sets[value]
		if !ok {
			s := &providerv1.FactSet{}
			for _, name := range names {
				s.Facts = append(s.Facts, &providerv1.Fact{Name: name, Value: facts[name]})
			}
			a.FactSets = append(a.FactSets, s)
			n = uint32(len(a.FactSets))
			sets[value] = n
		}
		return n
	}
	for _, s := range q.Subjects {
		a.PhoneFacts = append(a.PhoneFacts, set(s.Phone, phoneFacts, Phone(s.Phone)))
		a.EmailFacts = append(a.EmailFacts, set(s.Email, emailFacts, Email(s.Email)))
		a.SubjectChecks = append(a.SubjectChecks, crc32.Checksum([]byte(s.Phone+"\x00"+s.Email), castagnoli))
	}
	return a
}

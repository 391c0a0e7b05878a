package inquiry

import (
	"testing"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/services/enrichment/internal/inquiry/inquirytest"
)

// 30,000 rows that nobody was asked about before, and 30,000 that all are in the ledger.
func BenchmarkInquiry(b *testing.B) {
	rows := people(0, 30_000)
	for name, p := range map[string]*inquirytest.Provider{"free": inquirytest.Free(), "paid": inquirytest.Paid()} {
		c := newCounter(b, p)
		run := func(b *testing.B) {
			if _, _, err := c.run(b.Context(), c.Desk, nil, rows); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(name+"/new", func(b *testing.B) {
			for b.Loop() {
				c.account = uuid.Must(uuid.NewV7())
				run(b)
			}
		})
		b.Run(name+"/known", func(b *testing.B) {
			for b.Loop() {
				run(b)
			}
		})
	}
}

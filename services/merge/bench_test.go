package merge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// BenchmarkMerge tells how long the merge alone takes for new rows, for the same file again, for an update of two fields and for
// the undo of both, beside the reference: COPY of the same rows into one logged table with a primary key and three unique hashes.
// Run it with -benchtime 1x; the ratios are what counts.
func BenchmarkMerge(b *testing.B) { benchmarkMerge(b, benchHead, nil) }

// BenchmarkMergeOwn is the same file where address, city and company are the account's own fields.
func BenchmarkMergeOwn(b *testing.B) {
	head := slices.Clone(benchHead)
	var own []*accountsv1.Field
	for i, name := range head {
		if name == "address" || name == "city" || name == "company" {
			head[i] = "own_" + name
			own = append(own, &accountsv1.Field{Name: head[i], Type: accountsv1.FieldType_FIELD_TYPE_TEXT, Number: int32(contact.FirstCustom) + int32(i)})
		}
	}
	benchmarkMerge(b, head, own)
}

func benchmarkMerge(b *testing.B, head []string, own []*accountsv1.Field) {
	for _, n := range []int{100, 10_000, 200_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				w := newWorld(b)
				reference := w.reference(b, n)
				b.ReportMetric(reference.Seconds()*1000, "reference-ms")
				for _, s := range []struct {
					name  string
					mode  row.Mode
					round int
					undo  int64 // the number of a job to undo
				}{{"new", row.Upsert, 0, 0}, {"again", row.Upsert, 0, 0}, {"update", row.Update, 1, 0}, {"undo-update", 0, 0, 3}, {"undo-new", 0, 0, 1}} {
					var c *stage.Claim
					if s.undo == 0 {
						c = w.prepareMany(b, n, s.mode, s.round, head, own)
					} else {
						c = w.prepareUndo(b, s.undo, false, own...)
					}
					start := time.Now()
					r, err := w.once(b, c, nil)
					took := time.Since(start)
					if err != nil {
						b.Fatal(err)
					}
					want := map[string]int64{"new": r.Counts.Added, "again": r.Counts.Unchanged, "update": r.Counts.Updated,
						"undo-update": r.Counts.Updated - r.Counts.Removed, "undo-new": r.Counts.Removed}[s.name]
					if want != int64(n) {
						b.Fatalf("%s: %v", s.name, r.Counts)
					}
					b.ReportMetric(took.Seconds()*1000, s.name+"-ms")
					b.ReportMetric(took.Seconds()/reference.Seconds(), s.name+"/reference")
				}
			}
		})
	}
}

// BenchmarkPlan tells what a review costs beside the same update without: the check that a plan is, the plan, and what it says done.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{100, 200_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				w := newWorld(b)
				timed := func(name string, c *stage.Claim) *ingestv1.MergeResult {
					start := time.Now()
					r, err := w.once(b, c, nil)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(time.Since(start).Seconds()*1000, name+"-ms")
					return r
				}
				timed("new", w.prepareMany(b, n, row.Upsert, 0, benchHead, nil))
				timed("update", w.prepareMany(b, n, row.Update, 1, benchHead, nil))
				c := w.prepareMany(b, n, row.Update, 2, benchHead, nil)
				c.Work.Job.Settings.Check = true
				timed("check", c)
				c.Work.Job.Settings.Check, c.Work.Planning = false, true
				r := timed("plan", c)
				c.Work.Planning, c.Work.Plan = false, r.Outcomes
				if r := timed("planned", c); r.Counts.Updated != int64(n) {
					b.Fatalf("planned: %v", r.Counts)
				}
			}
		})
	}
}

// benchHead are the columns of the benchmark's file; the values of the n-th row are in person.
var benchHead = []string{"external_id", "first_name", "last_name", "email", "phone", "birth_date", "zip", "address", "city", "country", "company"}

// person appends the cells of a row. Round 1 has another city and company.
func person(dst [][]byte, text []byte, n, round int) ([][]byte, []byte) {
	add := func(format string, args ...any) {
		at := len(text)
		text = fmt.Appendf(text, format, args...)
		dst = append(dst, text[at:len(text):len(text)])
	}
	add("C%08d", n)
	add("First%d", n%1000)
	add("Lastname%d", n%50_000)
	add("user%d@example%d.com", n, n%100)
	add("+1201%07d", n)
	add("%04d-%02d-%02d", 1950+n%50, 1+n%12, 1+n%28)
	add("%05d", n%99_999)
	add("%d Main Street", n%9_999)
	add("City%d", n%3_000+round)
	add("US")
	add("Company %d", n%20_000+round)
	return dst, text
}

// keysOf are the keyed hashes of a row's external id, email and phone. They are spread as an HMAC's are.
func keysOf(w *world, hash func(kind contact.Key, value []byte) [16]byte, cells [][]byte, k *row.Keys) {
	k.Mask = 1<<contact.ExternalID | 1<<contact.Email | 1<<contact.Phone
	k.Hash[contact.ExternalID], k.Hash[contact.Email], k.Hash[contact.Phone] = hash(contact.ExternalID, cells[0]), hash(contact.Email, cells[3]), hash(contact.Phone, cells[4])
}

// order is the rows' shuffled order, so that no index is filled in order.
func order(n int) []int { return rand.New(rand.NewPCG(1, 2)).Perm(n) }

// reference copies the rows into one table and says how long that took.
func (w *world) reference(b *testing.B, n int) time.Duration {
	b.Helper()
	exec := func(sql string) {
		if _, err := w.owner.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	exec(`create table reference (account_id uuid not null, contact_id uuid not null, external_id_hash uuid, email_hash uuid, phone_hash uuid,
		external_id text, first_name text, last_name text, email text, phone text, birth_date date, zip text, address text, city text, country text, company text,
		primary key (account_id, contact_id))`)
	for _, k := range []string{"external_id_hash", "email_hash", "phone_hash"} {
		exec("create unique index on reference (account_id, " + k + ")")
	}
	h := w.ring.Hasher()
	hash := func(kind contact.Key, v []byte) [16]byte { return h.Hash(w.account, uint8(kind), v) }
	var all bytes.Buffer
	all.WriteString("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	var k row.Keys
	var line []byte
	for _, p := range order(n) {
		cells, _ := person(nil, nil, p, 0)
		keysOf(w, hash, cells, &k)
		line = binary.BigEndian.AppendUint16(line[:0], 16)
		id := uuid.Must(uuid.NewV7())
		for _, v := range [][]byte{w.account[:], id[:], k.Hash[contact.ExternalID][:], k.Hash[contact.Email][:], k.Hash[contact.Phone][:]} {
			line = append(binary.BigEndian.AppendUint32(line, 16), v...)
		}
		for i, v := range cells {
			if i == 5 {
				line = append(line, 0, 0, 0, 4, 0, 0, 0, 1)
				continue
			}
			line = append(binary.BigEndian.AppendUint32(line, uint32(len(v))), v...)
		}
		all.Write(line)
	}
	all.Write([]byte{0xff, 0xff})
	exec("checkpoint")
	start := time.Now()
	_, err := w.owner.PgConn().CopyFrom(b.Context(), &all, `copy reference (account_id, contact_id, external_id_hash, email_hash, phone_hash, external_id, first_name, last_name, email,
		phone, birth_date, zip, address, city, country, company) from stdin (format binary)`)
	took := time.Since(start)
	if err != nil {
		b.Fatal(err)
	}
	exec("drop table reference")
	exec("checkpoint")
	return took
}

// prepareMany writes what the stages before leave of a large file.
func (w *world) prepareMany(b testing.TB, n int, mode row.Mode, round int, head []string, own []*accountsv1.Field) *stage.Claim {
	b.Helper()
	c := &stage.Claim{Account: w.account, Job: uuid.Must(uuid.NewV7())}
	v := &ingestv1.ValidateResult{Rows: int64(n), Keys: 1<<contact.ExternalID | 1<<contact.Email | 1<<contact.Phone}
	header := row.Header{}
	for i, h := range head {
		header.Columns = append(header.Columns, row.Column{Heading: h, Field: h})
		v.Columns = append(v.Columns, &ingestv1.Column{Index: int32(i + 1), Heading: h, Field: h})
	}
	h := w.ring.Hasher()
	hash := func(kind contact.Key, v []byte) [16]byte { return h.Hash(w.account, uint8(kind), v) }
	known := map[[16]byte]uuid.UUID{}
	rows, err := w.owner.Query(b.Context(), "select external_id_hash, contact_id from contacts.contacts")
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		var k [16]byte
		var id uuid.UUID
		if err := rows.Scan(&k, &id); err != nil {
			b.Fatal(err)
		}
		known[k] = id
	}
	name := func(what string, n int) string {
		return blob.WorkName(w.account, c.Job, "test", 1, fmt.Sprint(what, n))
	}
	all := order(n)
	values := make([]row.Value, len(head))
	for i := range values {
		values[i].Kind = row.AsCell
	}
	const perChunk = 25_000
	verdicts := w.put(b, name("verdicts", 0), func(out io.Writer) error {
		vs := row.NewVerdictsWriter(out)
		for from := 0; from < n; from += perChunk {
			part := all[from:min(from+perChunk, n)]
			ch := &ingestv1.Chunk{FirstRow: int64(from), Rows: int64(len(part))}
			var k row.Keys
			ch.Keys = w.put(b, name("keys", from), func(out io.Writer) error {
				ks := row.NewKeysWriter(out)
				ch.Cells = w.put(b, name("cells", from), func(out io.Writer) error {
					cs, err := row.NewCellsWriter(out, header)
					if err != nil {
						return err
					}
					for i, p := range part {
						cells, _ := person(nil, nil, p, round)
						keysOf(w, hash, cells, &k)
						verdict := row.Verdict{Relation: row.None}
						if id, ok := known[k.Hash[contact.ExternalID]]; ok {
							verdict = row.Verdict{Relation: row.One, Contact: id, Keys: k.Mask}
						}
						if err := ks.Append(&k); err != nil {
							return err
						}
						if err := vs.Append(&verdict); err != nil {
							return err
						}
						if err := cs.Append(&row.Cells{Line: int64(from + i + 2), Cells: cells, Values: values}); err != nil {
							return err
						}
					}
					return cs.Close()
				})
				return ks.Close()
			})
			v.Chunks = append(v.Chunks, ch)
		}
		return vs.Close()
	})
	c.Work = &ingestv1.Work{Validated: v, Matched: &ingestv1.MatchResult{Verdicts: verdicts}, Enriched: &ingestv1.EnrichResult{},
		Account: &ingestv1.AccountSettings{Fields: own},
		Job:     &ingestv1.Job{Number: w.number.Add(1), Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode(mode)}}}
	return c
}

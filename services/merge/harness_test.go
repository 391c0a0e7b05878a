package merge

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/contactmill/contactmill/pkg/blob"
	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/contactdb"
	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/fields"
	"github.com/contactmill/contactmill/pkg/keyring"
	"github.com/contactmill/contactmill/pkg/postgres/postgrestest"
	"github.com/contactmill/contactmill/pkg/row"
	"github.com/contactmill/contactmill/pkg/stage"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	ingestv1 "github.com/contactmill/contactmill/proto/gen/contactmill/ingest/v1"
)

// world is an account with a contact database and S3, and a worker that applies jobs to it.
type world struct {
	*worker
	account     uuid.UUID
	databaseURL string    // of the role merge
	contactsURL string    // of the role contacts
	owner       *pgx.Conn // sees everything
	edits       *contactdb.Contacts
	most        *atomic.Int64
	number      atomic.Int64
	token       *atomic.Int64
	keys        sync.Map // of jobs by their ids: of their rows
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s3 := os.Getenv("CONTACTMILL_TEST_S3")
	if s3 == "" {
		t.Fatal("this test needs S3, and CONTACTMILL_TEST_S3 does not say where it is: run it by `make test`")
	}
	d := postgrestest.DB(t, contactdb.Schema)
	w := &world{worker: &worker{log: slog.New(slog.DiscardHandler)}, account: uuid.New(), most: &atomic.Int64{}, token: &atomic.Int64{}}
	w.most.Store(1 << 40)
	w.accounts = fixedPackage{most: w.most}
	var err error
	if w.blob, err = blob.Open(t.Context(), s3); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.blob.Close)
	if w.ring, err = keyring.New(); err != nil {
		t.Fatal(err)
	}
	w.databaseURL, w.contactsURL = d.URL("merge"), d.URL("contacts")
	db, err := open(t.Context(), w.databaseURL, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if w.contacts, err = contactdb.NewMerges(db); err != nil {
		t.Fatal(err)
	}
	if w.edits, err = contactdb.NewContacts(d.Open(t, "contacts", "contacts"), w.ring, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	if w.owner, err = pgx.Connect(t.Context(), d.OwnerURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.owner.Close(context.Background()) })
	return w
}

// fixedPackage answers for the accounts service.
type fixedPackage struct {
	accountsv1.AccountsServiceClient
	most *atomic.Int64
}

func (f fixedPackage) GetAccount(context.Context, *accountsv1.GetAccountRequest, ...grpc.CallOption) (*accountsv1.GetAccountResponse, error) {
	return &accountsv1.GetAccountResponse{Account: &accountsv1.Account{Package: f.most.Load()}}, nil
}

// claim stands for the claim of a stage: it names objects by its token and gives leave.
type claim struct {
	w     *world
	job   uuid.UUID
	token int64
	leave func() error
}

func (c *claim) Progress(int64, int64) {}

func (c *claim) LeaveToCommit(context.Context) error {
	if c.leave != nil {
		return c.leave()
	}
	return nil
}

func (c *claim) Object(what string) string {
	return blob.WorkName(c.w.account, c.job, "merge", c.token, what)
}

// file is a job's file, as a test writes it: headings are names of fields, cells are in normal form. A row whose first
// cell begins with "!" is invalid, with the rest of that cell as its finding.
type file struct {
	mode  row.Mode
	list  string
	check bool
	keep  bool                // keep out whom the provider does not know
	own   []*accountsv1.Field // of the account
	head  []string
	rows  [][]string
	facts map[int64][2]string   // by row
	match map[int64]row.Verdict // instead of what matching finds
	day   int                   // of January 2026, as of which the file is; 0 for no day

	policies *accountsv1.Policies
	before   func() // after matching, before the job is applied
}

// prepare writes what validation, matching and enrichment leave of a file, and returns the job as a claim has it.
func (w *world) prepare(t testing.TB, f file) *stage.Claim {
	t.Helper()
	c := &stage.Claim{Account: w.account, Job: uuid.Must(uuid.NewV7())}
	name := func(what string) string { return blob.WorkName(w.account, c.Job, "test", 1, what) }
	header := row.Header{}
	v := &ingestv1.ValidateResult{Rows: int64(len(f.rows))}
	schema, err := fields.SchemaOf(f.own)
	if err != nil {
		t.Fatal(err)
	}
	var specs []contact.Spec
	for i, h := range f.head {
		field, ok := schema.Field(h)
		if !ok {
			t.Fatalf("no field %s", h)
		}
		spec, _ := schema.Spec(field)
		if field < contact.FirstCustom {
			spec.Number = field
		}
		specs = append(specs, spec)
		header.Columns = append(header.Columns, row.Column{Heading: h, Field: h, Secret: spec.Secret})
		v.Columns = append(v.Columns, &ingestv1.Column{Index: int32(i + 1), Heading: h, Field: h})
	}
	hasher := w.ring.Hasher()
	var all []row.Keys
	perChunk := max(3, len(f.rows)/10) // several chunks, and not too many
	for from := 0; from == 0 || from < len(f.rows); from += perChunk {
		to := min(from+perChunk, len(f.rows))
		ch := &ingestv1.Chunk{FirstRow: int64(from), Rows: int64(to - from)}
		ch.Cells = w.put(t, name(fmt.Sprintf("cells-%d", from)), func(out io.Writer) error {
			cells, err := row.NewCellsWriter(out, header)
			if err != nil {
				return err
			}
			for n := from; n < to; n++ {
				r, k := w.row(t, c, n, specs, f.rows[n], hasher)
				all = append(all, k)
				v.Keys |= uint32(k.Mask)
				if err := cells.Append(r); err != nil {
					return err
				}
			}
			return cells.Close()
		})
		ch.Keys = w.put(t, name(fmt.Sprintf("keys-%d", from)), func(out io.Writer) error {
			keys := row.NewKeysWriter(out)
			for n := from; n < to; n++ {
				if err := keys.Append(&all[n]); err != nil {
					return err
				}
			}
			return keys.Close()
		})
		v.Chunks = append(v.Chunks, ch)
	}
	w.keys.Store(c.Job, all)
	m := w.matched(t, c, f.match)
	c.Work = &ingestv1.Work{Validated: v, Matched: m, Enriched: &ingestv1.EnrichResult{}, Account: &ingestv1.AccountSettings{KeepOutUnknown: f.keep, Fields: f.own},
		Job: &ingestv1.Job{Number: w.number.Add(1), Policies: f.policies, Settings: &ingestv1.ImportSettings{Mode: ingestv1.Mode(f.mode), List: f.list, Check: f.check}}}
	if f.day > 0 {
		c.Work.Job.Settings.AsOf = timestamppb.New(january(f.day))
	}
	if f.facts != nil {
		c.Work.Enriched.Facts = w.put(t, name("facts"), func(out io.Writer) error {
			facts := row.NewFactsWriter(out)
			for n := range int64(len(f.rows)) {
				if a, ok := f.facts[n]; ok {
					if err := facts.Append(n, []byte(a[0]), []byte(a[1])); err != nil {
						return err
					}
				}
			}
			return facts.Close()
		})
	}
	if f.before != nil {
		f.before()
	}
	return c
}

// matched writes what matching leaves of a job.
func (w *world) matched(t testing.TB, c *stage.Claim, instead map[int64]row.Verdict) *ingestv1.MatchResult {
	t.Helper()
	keys, _ := w.keys.Load(c.Job)
	verdicts, version := w.match(t, keys.([]row.Keys), instead)
	return &ingestv1.MatchResult{KeyVersion: version, Verdicts: w.put(t, blob.WorkName(w.account, c.Job, "test", w.token.Add(1), "verdicts"), func(out io.Writer) error {
		vs := row.NewVerdictsWriter(out)
		for i := range verdicts {
			if err := vs.Append(&verdicts[i]); err != nil {
				return err
			}
		}
		return vs.Close()
	})}
}

func (w *world) put(t testing.TB, name string, write func(io.Writer) error) *ingestv1.Object {
	t.Helper()
	out, err := w.blob.Writer(t.Context(), name)
	if err == nil {
		if err = write(out); err == nil {
			var o blob.Object
			if o, err = out.Close(); err == nil {
				return &ingestv1.Object{Name: o.Name, Size: o.Size, Sha256: hex.EncodeToString(o.SHA256[:])}
			}
		}
	}
	t.Fatalf("write %s: %v", name, err)
	return nil
}

// row is what validation makes of a row.
func (w *world) row(t testing.TB, c *stage.Claim, n int, specs []contact.Spec, cells []string, h *keyring.Hasher) (*row.Cells, row.Keys) {
	t.Helper()
	r := &row.Cells{Line: int64(n) + 2}
	k := row.Keys{Line: r.Line}
	for _, cell := range cells {
		r.Cells = append(r.Cells, []byte(cell))
	}
	if code, bad := strings.CutPrefix(cells[0], "!"); bad {
		r.Invalid, k.Invalid = true, true
		r.Findings = []row.Finding{{Code: "a-warning", Warning: true}, {Code: code}}
		return r, k
	}
	at := map[contact.Field]string{}
	for i, cell := range cells {
		spec := specs[i]
		switch {
		case cell == "":
			r.Values = append(r.Values, row.Value{})
			continue
		case cell == "UNSET":
			r.Values = append(r.Values, row.Value{Kind: row.Unset})
			continue
		case spec.Secret:
			sealed, err := w.ring.Seal([]byte(cell), keyring.ForRow(w.account, spec.Name, c.Job, uint64(r.Line)))
			if err != nil {
				t.Fatal(err)
			}
			r.Values = append(r.Values, row.Value{Kind: row.AsText, Text: sealed})
			r.Cells[i] = []byte("***")
		default:
			r.Values = append(r.Values, row.Value{Kind: row.AsCell})
		}
		at[spec.Number] = cell
		if spec.Key == contact.ContactID {
			k.Mask |= 1
			k.Hash[0] = uuid.MustParse(cell)
		} else if spec.Key != contact.NoKey {
			k.Mask |= 1 << spec.Key
			k.Hash[spec.Key] = h.Hash(w.account, uint8(spec.Key), []byte(cell))
		}
	}
	if birth, code := contact.ParseDate([]byte(at[contact.FieldBirthDate]), contact.DateRules{}); code == "" {
		text, ok := contact.AppendNameBirthZip(nil, []byte(at[contact.FieldFirstName]), []byte(at[contact.FieldLastName]), birth, []byte(at[contact.FieldZip]))
		if ok {
			k.Mask |= 1 << contact.NameBirthZip
			k.Hash[contact.NameBirthZip] = h.Hash(w.account, uint8(contact.NameBirthZip), text)
		}
	}
	return r, k
}

// match is the rule of matching, row by row.
func (w *world) match(t testing.TB, keys []row.Keys, instead map[int64]row.Verdict) ([]row.Verdict, int64) {
	t.Helper()
	var all []row.Verdict
	var version int64
	first := map[[16]byte]int{}
	err := w.edits.Match(t.Context(), w.account, func(ctx context.Context, m *contactdb.Matching) error {
		version = m.KeyVersion
		for n := range keys {
			k := &keys[n]
			v := row.Verdict{Relation: row.Bad}
			if o, ok := instead[int64(n)]; ok {
				v = o
			} else if !k.Invalid {
				var err error
				if v, err = relate(ctx, m, k); err != nil {
					return err
				}
			}
			for key := range contact.Key(contact.Keys) {
				if !key.Unique() || k.Mask&(1<<key) == 0 || v.Relation == row.Bad {
					continue
				}
				if earlier, ok := first[k.Hash[key]]; ok && earlier != n {
					v = row.Verdict{Relation: row.Repeat, Keys: 1 << key, First: int64(earlier), FirstLine: int64(earlier) + 2}
				}
			}
			for key := range contact.Key(contact.Keys) {
				if key.Unique() && k.Mask&(1<<key) != 0 && v.Relation != row.Repeat && v.Relation != row.Bad {
					first[k.Hash[key]] = n
				}
			}
			all = append(all, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, version
}

func relate(ctx context.Context, m *contactdb.Matching, k *row.Keys) (row.Verdict, error) {
	again := &rematching{find: m, verdicts: map[int64]row.Verdict{}}
	again.add(&record{keys: k})
	err := again.flush(ctx)
	return again.verdicts[0], err
}

// run applies a file under a token of its own and returns the result with every row's outcome, as a line of words.
func (w *world) run(t testing.TB, f file) (*ingestv1.MergeResult, []string) {
	t.Helper()
	c := w.prepare(t, f)
	r, err := w.once(t, c, nil)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return r, w.outcomesOf(t, r)
}

// once applies a prepared job under a new token.
func (w *world) once(t testing.TB, c *stage.Claim, leave func() error) (*ingestv1.MergeResult, error) {
	t.Helper()
	return w.under(t.Context(), t, c, w.token.Add(1), leave)
}

func (w *world) under(ctx context.Context, t testing.TB, c *stage.Claim, token int64, leave func() error) (*ingestv1.MergeResult, error) {
	t.Helper()
	j, err := toJob(&stage.Claim{Account: c.Account, Job: c.Job, Token: token, Work: c.Work})
	if err != nil && !j.committing {
		return nil, err
	}
	j.flaw = err
	r, err := w.apply(ctx, j, &claim{w: w, job: c.Job, token: token, leave: leave})
	return r.GetMerged(), err
}

func (w *world) outcomesOf(t testing.TB, m *ingestv1.MergeResult) []string {
	t.Helper()
	if m.GetOutcomes() == nil {
		return nil
	}
	r := w.openOutcomes(t, m)
	var all []string
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		s := e.Outcome.String()
		if e.Reason != "" {
			s += " " + e.Reason
		}
		if e.Detail != "" {
			s += " (" + e.Detail + ")"
		}
		if e.Contact != uuid.Nil {
			s += " " + e.Contact.String()
		}
		all = append(all, s)
	}
}

// openOutcomes opens the outcomes of a job.
func (w *world) openOutcomes(t testing.TB, m *ingestv1.MergeResult) *row.OutcomesReader {
	t.Helper()
	o := blob.Object{Name: m.Outcomes.Name, Size: m.Outcomes.Size}
	sum, err := hex.DecodeString(m.Outcomes.Sha256)
	if err != nil {
		t.Fatal(err)
	}
	copy(o.SHA256[:], sum)
	src, err := w.blob.ReadVerified(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	r, err := row.NewOutcomesReader(src)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// query returns the rows of a query as lines of text, as the owner sees them.
func (w *world) query(t testing.TB, sql string, args ...any) []string {
	t.Helper()
	rows, err := w.owner.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sound checks what must hold of the database at any time.
func (w *world) sound(t testing.TB) {
	t.Helper()
	for what, sql := range map[string]string{
		"held is not the number of contacts": `select h.account_id::text from contacts.holdings h where held <> (select count(*) from contacts.contacts c where c.account_id = h.account_id)`,
		"keys of contacts without a row": `select c.contact_id::text || k.key from contacts.contacts c cross join lateral (values (1, external_id_hash), (2, email_hash), (3, phone_hash),
			(4, account_number_hash), (5, ssn_hash), (6, vat_number_hash), (8, own_8_hash), (9, own_9_hash), (10, own_10_hash), (11, own_11_hash),
			(12, own_12_hash), (13, own_13_hash), (14, own_14_hash), (15, own_15_hash)) k (key, hash) where k.hash is not null and not exists
			(select from contacts.contact_keys x where x.account_id = c.account_id and x.hash = k.hash and x.key = k.key and x.contact_id = c.contact_id)`,
		"more keys than contacts have": `select 'x' where (select count(*) from contacts.contact_keys) <> (select count(external_id_hash) + count(email_hash) + count(phone_hash)
			+ count(account_number_hash) + count(ssn_hash) + count(vat_number_hash) + count(own_8_hash) + count(own_9_hash) + count(own_10_hash) + count(own_11_hash)
			+ count(own_12_hash) + count(own_13_hash) + count(own_14_hash) + count(own_15_hash) from contacts.contacts)`,
		"own fields are null or empty": `select contact_id::text from contacts.contacts where own = '{}' or jsonb_strip_nulls(own) <> own`,
		"fallback keys differ": `(select contact_id::text, name_birth_zip_hash from contacts.contacts where name_birth_zip_hash is not null except select contact_id::text, hash from contacts.contact_fallbacks)
			union all (select contact_id::text, hash from contacts.contact_fallbacks except select contact_id::text, name_birth_zip_hash from contacts.contacts)`,
		"members are not counted": `select l.name from contacts.lists l where members <> (select count(*) from contacts.list_members m where m.list_id = l.list_id)
			or last_position < (select coalesce(max(position), 0) from contacts.list_members m where m.list_id = l.list_id)`,
		"contacts of a job lie where it does not say": `select c.contact_id::text from contacts.contacts c left join contacts.applied a on a.account_id = c.account_id and a.job_id = c.created_job
			where c.created_job is not null and (c.contact_id between a.first_made and a.last_made) is not true`,
		"an applied job has no trace": `select a.job_id::text from contacts.applied a where a.added <> (select count(*) from contacts.contacts c where c.created_job = a.job_id)
			and not exists (select from contacts.applied u where u.account_id = a.account_id and u.undo_of is not null)`,
	} {
		rows, err := w.owner.Query(t.Context(), sql)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n > 0 {
			t.Errorf("%s: %d times", what, n)
		}
	}
}

var errKilled = fault.New(fault.Internal, "killed", "killed by the test")

// failAt lets the work end at a point with an error.
func (w *world) failAt(point string, err error) {
	w.fail = func(at string) error {
		if at == point {
			return err
		}
		return nil
	}
}

func parse(id string) uuid.UUID { return uuid.MustParse(id) }

// verdicts puts other verdicts in the place of what matching found.
func (w *world) verdicts(t testing.TB, c *stage.Claim, all []row.Verdict) *ingestv1.Object {
	t.Helper()
	return w.put(t, blob.WorkName(w.account, c.Job, "test", 2, "verdicts"), func(out io.Writer) error {
		vs := row.NewVerdictsWriter(out)
		for i := range all {
			if err := vs.Append(&all[i]); err != nil {
				return err
			}
		}
		return vs.Close()
	})
}

func (w *world) openSSN(t testing.TB, id, sealed string) string {
	t.Helper()
	b, err := hex.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := w.ring.Open(b, keyring.ForContact(w.account, "ssn", parse(id)))
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

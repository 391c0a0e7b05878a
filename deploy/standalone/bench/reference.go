package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// referenceTable is the yardstick: one logged table with a contact's columns, a primary key and three unique 128-bit keys,
// each with the account first.
const referenceTable = `
drop table if exists public.reference;
create table public.reference (
    account_id uuid not null, contact_id uuid not null,
    external_id_hash uuid, email_hash uuid, phone_hash uuid,
    external_id text collate "C", first_name text collate "C", last_name text collate "C", email text collate "C", phone text collate "C",
    birth_date date, address text collate "C", city text collate "C", zip text collate "C", company text collate "C",
    created_job uuid not null, created_line bigint not null, created_at timestamptz not null default now(),
    primary key (account_id, contact_id)
);
create unique index on public.reference (account_id, external_id_hash);
create unique index on public.reference (account_id, email_hash);
create unique index on public.reference (account_id, phone_hash);`

const referenceCopy = `copy public.reference (account_id, contact_id, external_id_hash, email_hash, phone_hash, external_id, first_name, last_name,
    email, phone, birth_date, address, city, zip, company, created_job, created_line) from stdin (format binary)`

// referenceAccount is whom the rows belong to: to one account, so that one COPY adds to what another left.
var referenceAccount = uuid.MustParse("00000000-0000-0000-0000-0000000000aa")

// reference is a file's good rows as PostgreSQL reads them fastest, made before the clock runs.
type reference struct {
	file string
	rows int
}

// prepare writes the rows of a file as a binary COPY, each key once: the same rows that the platform is to store. update gets
// a file that changes two fields of each; it may be empty.
func prepare(file, to, update string) (*reference, error) {
	src, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return nil, err
	}
	w, changes := bufio.NewWriterSize(dst, 1<<20), bufio.NewWriter(io.Discard)
	if update != "" {
		f, err := os.Create(update)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		changes = bufio.NewWriterSize(f, 1<<20)
	}
	r := &reference{file: to}
	if err := r.encode(csv.NewReader(bufio.NewReaderSize(src, 1<<20)), w, changes); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the reference: %w", err), dst.Close())
	}
	return r, errors.Join(w.Flush(), changes.Flush(), dst.Close())
}

func (r *reference) encode(in *csv.Reader, w io.Writer, changes *bufio.Writer) error {
	in.ReuseRecord = true
	if _, err := in.Read(); err != nil {
		return err
	}
	job := uuid.New()
	changes.WriteString("External id,City,Company\n")
	seen := map[string]bool{}
	b := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	for line := int64(2); ; line++ {
		f, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		birth, err := time.Parse(time.DateOnly, f[5])
		if err != nil || seen[f[0]] || len(f[4]) < 7 || !strings.Contains(f[3], "@") { // bad rows and repeats
			continue
		}
		seen[f[0]] = true
		fmt.Fprintf(changes, "%s,New %s,%s & Co\n", f[0], f[7], f[9])
		id := uuid.Must(uuid.NewV7())
		b = binary.BigEndian.AppendUint16(b, 17)
		for _, u := range []uuid.UUID{referenceAccount, id, hash(f[0]), hash(f[3]), hash(f[4])} {
			b = field(b, u[:])
		}
		for _, i := range []int{0, 1, 2, 3, 4} {
			b = field(b, []byte(f[i]))
		}
		days := birth.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Hours() / 24
		b = field(b, binary.BigEndian.AppendUint32(nil, uint32(int32(days))))
		for _, i := range []int{6, 7, 8, 9} {
			b = field(b, []byte(f[i]))
		}
		b = field(b, job[:])
		b = field(b, binary.BigEndian.AppendUint64(nil, uint64(line)))
		r.rows++
		if len(b) > 1<<16 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := w.Write(append(b, 0xff, 0xff))
	return err
}

func field(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

func hash(s string) uuid.UUID {
	h := sha256.Sum256([]byte(s))
	return uuid.UUID(h[:16])
}

// run copies the rows into a fresh table and drops it again. The time is that of COPY and its commit.
func (r *reference) run(ctx context.Context, owner string) (took time.Duration, err error) {
	err = inReference(ctx, owner, func(conn *pgx.Conn) error {
		took, err = r.copy(ctx, conn)
		return err
	})
	return took, err
}

// inReference runs fn on a fresh table of reference, which is gone afterwards.
func inReference(ctx context.Context, owner string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, referenceTable+"; checkpoint"); err != nil {
		return fmt.Errorf("make the reference table: %w", err)
	}
	if err := fn(conn); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "drop table public.reference; checkpoint")
	return err
}

// copy copies the rows into the table as it is.
func (r *reference) copy(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
	f, err := os.Open(r.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	begun := time.Now()
	tag, err := conn.PgConn().CopyFrom(ctx, bufio.NewReaderSize(f, 1<<20), referenceCopy)
	took := time.Since(begun)
	if err != nil {
		return 0, fmt.Errorf("copy the reference: %w", err)
	}
	if int(tag.RowsAffected()) != r.rows {
		return 0, fmt.Errorf("copy the reference: %d rows, want %d", tag.RowsAffected(), r.rows)
	}
	return took, nil
}

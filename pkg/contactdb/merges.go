package contactdb

import (
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/postgres"
)

//go:embed apply/*.sql
var mergesQueries embed.FS

// mergesSQL is what a merge asks, in the order it asks it.
type mergesSQL struct {
	OwnBackend, MarkWork, FenceSettings, ReadFence, EndBackend, RaiseFence                         string
	ReadApplied                                                                                    string
	WorkSettings, MakeStaged, MakeChanged, MakeBlocked                                             string
	MakeMet, MakeMetOwn, MakeKept, MakeChangedOwn                                                  string
	KeyChangesAfter                                                                                string
	MeasureStaged, MeasureChanged, MeasureMet                                                      string
	FindMet, FoldMet, DropFolded                                                                   string
	FindMetOwn, FoldMetOwn, FindKept                                                               string
	FindRuled, FindRuledOwn, ReadHandMade, WriteReplaced, MeasureKept, ClearWithheld, JudgeConsent string
	Compare, BlockRows, CountLeft                                                                  string
	ReadNames, WriteNames                                                                          string
	ReleaseKeys, WriteChangedKeys, WriteNewKeys                                                    string
	ReleaseOwnKeys, WriteChangedOwnKeys                                                            string
	ReleaseFallbacks, WriteChangedFallbacks                                                        string
	WriteNewFallbacks                                                                              string
	WriteNewContacts                                                                               string
	WriteJournal, WriteChangedContacts, WriteMetOrigins, WriteMetOwnOrigins                        string
	JoinSettings                                                                                   string
	MakeList, WriteList                                                                            string
	WriteHeld                                                                                      string
	ReadChangedRows, ReadChangedAndKeptRows, ReadBlockedRows                                       string
	HoldFence, WriteApplied                                                                        string
}

// hotSQL are the statements that every row of a job goes through and that own fields make longer.
type hotSQL struct {
	Compare, ComparePart, WriteNewKeys, WriteNewContacts, WriteJournal, WriteChangedContacts string
}

func (s *mergesSQL) hot(with ...string) hotSQL {
	form := func(sql string, more ...string) string { return variant(sql, append(more, with...)...) }
	return hotSQL{form(s.Compare, "whole"), form(s.Compare, "part"), form(s.WriteNewKeys), form(s.WriteNewContacts), form(s.WriteJournal), form(s.WriteChangedContacts)}
}

// compare is the statement for a good part of the account's contacts, or for few of them.
func (s *hotSQL) compare(whole bool) string {
	if whole {
		return s.Compare
	}
	return s.ComparePart
}

// marks are the words by which statements mark lines that not all of their users need: a line that ends in "-- own" is for
// jobs with own fields, which others shall not pay for, and "-- plain: " is for those others; one that ends in "-- job" is not for undos,
// and "-- undo: " begins one that is for them alone. "-- back" and "-- again: " tell undos that take a job back from those that do it
// again. "-- whole" is for those who concern a good part of an account's contacts and better go over all of them, "-- part: " for others.
var marks = []string{"own", "plain", "job", "undo", "back", "again", "whole", "part"}

// variant is a statement with the lines alone that are not marked or whose marks are among those given.
func variant(sql string, with ...string) string {
	comes := func(mark string) bool { return !slices.Contains(marks, mark) || slices.Contains(with, mark) }
	var b strings.Builder
	for line := range strings.Lines(sql) {
		text := strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(text, "-- "); ok {
			if mark, text, ok := strings.Cut(rest, ": "); ok && slices.Contains(marks, mark) {
				if !comes(mark) {
					continue
				}
				line = text + "\n"
			}
		}
		text = strings.TrimSpace(line)
		if at := strings.LastIndex(text, " -- "); at >= 0 && !allOf(strings.Fields(text[at+4:]), comes) {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

func allOf(words []string, is func(string) bool) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !is(w) })
}

// Merges is the contact database as the service merge uses it: jobs are applied, each in one transaction.
type Merges struct {
	db    *postgres.DB
	sql   mergesSQL
	own   hotSQL      // for jobs with own fields
	plain hotSQL      // for jobs without
	reads contactsSQL // matching is one rule in one place
	undo  undoStatements
	plans planStatements
}

// NewMerges takes a database opened as the role merge. Each job at work takes two connections.
func NewMerges(db *postgres.DB) (*Merges, error) {
	sql, err := postgres.Queries[mergesSQL](mergesQueries, "apply")
	if err != nil {
		return nil, err
	}
	reads, err := postgres.Queries[contactsSQL](contactsQueries, "queries")
	if err != nil {
		return nil, err
	}
	m := &Merges{db: db, sql: sql, reads: reads}
	m.own, m.plain = sql.hot("own", "job"), sql.hot("plain", "job")
	if m.plans, err = newPlanStatements(); err != nil {
		return nil, err
	}
	m.undo, err = newUndoStatements(&sql)
	return m, err
}

// InAccount runs fn in a transaction that sees one account. A merge is one such transaction.
func (m *Merges) InAccount(ctx context.Context, account uuid.UUID, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return m.db.InAccount(ctx, account, fn)
}

// Begin prepares a transaction for a job: it marks the session as at work on the account, makes the tables of staged rows
// if the session has none, and reads the account's row without a lock.
func (m *Merges) Begin(ctx context.Context, tx pgx.Tx, account uuid.UUID) (own Backend, h Holdings, err error) {
	if own, err = m.backend(ctx, tx); err != nil {
		return own, h, err
	}
	var s script
	s.add("mark session", m.sql.MarkWork, mark(account))
	s.add("set up merge", m.sql.WorkSettings)
	for _, sql := range []string{m.sql.MakeStaged, m.sql.MakeChanged, m.sql.MakeBlocked, m.sql.MakeMet} {
		s.add("make tables of staged rows", sql)
	}
	s.read("read holdings", func(r pgx.Row) error {
		if err := h.scan(r); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	}, m.reads.Holdings, account)
	return own, h, s.run(ctx, tx)
}

// Holdings is an account's own row.
type Holdings struct {
	Held       int64 // contacts
	KeyVersion int64 // grows with every key change outside a job
	Edited     bool  // a person has given a value in the account
}

func (h *Holdings) scan(r pgx.Row) error { return r.Scan(&h.Held, &h.KeyVersion, &h.Edited) }

// gate is what those wait at who lock an account's holdings, alone or with others, so that each gets a turn.
func gate(account uuid.UUID) (high, low int32) {
	return int32(binary.BigEndian.Uint32(account[8:])), int32(binary.BigEndian.Uint32(account[12:]))
}

// Lock locks the account's row until the transaction ends: until then nobody else writes its contacts. The error is Stale
// if a newer token has raised the fence: whoever had the lock before may have been a newer claim's merge of this very job.
// The fence is not locked, so that answer may be old at once: it saves work, and [Merges.Write] decides.
func (m *Merges) Lock(ctx context.Context, tx pgx.Tx, j Job) (h Holdings, err error) {
	var token int64
	var s script
	high, low := gate(j.Account)
	s.add("wait for edits", m.reads.KeepEditsOut, high, low)
	s.add("make holdings", m.reads.MakeHoldings, j.Account)
	s.read("lock holdings", h.scan, m.reads.LockHoldings, j.Account)
	s.read("read fence", func(r pgx.Row) error { return r.Scan(&token, new(int32), new(time.Time)) }, m.sql.ReadFence, j.Account)
	if err := s.run(ctx, tx); err != nil {
		return h, err
	}
	if token != j.Token {
		return h, stale(j)
	}
	return h, nil
}

// Touched is the set of keys that came or went outside a job. A contact whose keys did is in it as a contact id.
type Touched map[contact.Key]map[[16]byte]struct{}

// TouchedSince returns the keys touched after a key version.
func (m *Merges) TouchedSince(ctx context.Context, tx pgx.Tx, account uuid.UUID, version int64) (Touched, error) {
	rows, err := tx.Query(ctx, m.sql.KeyChangesAfter, account, version)
	if err != nil {
		return nil, fmt.Errorf("read key changes: %w", err)
	}
	t := Touched{}
	var key int16
	var hash [16]byte
	_, err = pgx.ForEachRow(rows, []any{&key, &hash}, func() error {
		k := contact.Key(key)
		if t[k] == nil {
			t[k] = map[[16]byte]struct{}{}
		}
		t[k][hash] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read key changes: %w", err)
	}
	return t, nil
}

// Has tells whether a key was touched.
func (t Touched) Has(k contact.Key, hash [16]byte) bool {
	_, ok := t[k][hash]
	return ok
}

// Matching finds the contacts of rows within a transaction, by the rule that [Contacts.Match] has.
func (m *Merges) Matching(tx pgx.Tx, account uuid.UUID, h Holdings) *Matching {
	return &Matching{Held: h.Held, KeyVersion: h.KeyVersion, account: account, conn: tx.Conn(), sql: &m.reads}
}

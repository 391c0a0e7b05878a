package row

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var (
	alice = uuid.MustParse("0190a000-0000-7000-8000-000000000001")
	bob   = uuid.MustParse("0190a000-0000-7000-8000-000000000002")
)

func TestDecideFollowsTheTable(t *testing.T) {
	type want struct {
		o Outcome
		a Action
	}
	table := map[Relation][3]want{ // by mode: add, update, upsert
		None:    {{Added, AddContact}, {Unmatched, Nothing}, {Added, AddContact}},
		One:     {{Duplicate, Nothing}, {Updated, UpdateContact}, {Updated, UpdateContact}},
		Several: {{Conflict, Nothing}, {Conflict, Nothing}, {Conflict, Nothing}},
		Other:   {{Duplicate, Nothing}, {Conflict, Nothing}, {Conflict, Nothing}},
		Repeat:  {{Duplicate, Nothing}, {Duplicate, Nothing}, {Duplicate, Nothing}},
		Bad:     {{Invalid, Nothing}, {Invalid, Nothing}, {Invalid, Nothing}},
		Erased:  {{Suppressed, Nothing}, {Suppressed, Nothing}, {Suppressed, Nothing}},
	}
	if len(table) != relations {
		t.Fatalf("the table has %d relations, there are %d", len(table), relations)
	}
	for r, w := range table {
		for i, m := range []Mode{Add, Update, Upsert} {
			if o, a := Decide(m, r); o != w[i].o || a != w[i].a {
				t.Errorf("Decide(%d, %d) = %v, %v; want %v, %v", m, r, o, a, w[i].o, w[i].a)
			}
		}
	}
}

func genBytes(max int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), 0, max) }

func genID() *rapid.Generator[uuid.UUID] {
	return rapid.Custom(func(t *rapid.T) (u uuid.UUID) {
		copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return u
	})
}

func TestCellsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Header{}
		for range rapid.IntRange(1, 6).Draw(t, "columns") {
			h.Columns = append(h.Columns, Column{rapid.String().Draw(t, "heading"), rapid.SampledFrom([]string{"", "phone", "email"}).Draw(t, "field"), rapid.Bool().Draw(t, "secret")})
		}
		mapped := h.Mapped()
		var rows []Cells
		for range rapid.IntRange(0, 30).Draw(t, "rows") {
			r := Cells{Line: rapid.Int64Range(1, 1e9).Draw(t, "line"), Invalid: rapid.Bool().Draw(t, "invalid")}
			r.Cells = rapid.SliceOfN(genBytes(40), 0, len(h.Columns)).Draw(t, "cells")
			for range rapid.IntRange(0, 2).Draw(t, "findings") {
				r.Findings = append(r.Findings, Finding{"some-code", rapid.IntRange(-1, 300).Draw(t, "column"), rapid.Bool().Draw(t, "warning"), rapid.String().Draw(t, "value"), rapid.String().Draw(t, "repaired")})
			}
			if n := h.secrets(); r.Invalid && n > 0 && rapid.Bool().Draw(t, "secrets") {
				for range n {
					v := Value{Kind: rapid.SampledFrom([]ValueKind{Empty, AsText, Unset}).Draw(t, "kind")}
					if v.Kind == AsText {
						v.Text = genBytes(40).Draw(t, "sealed")
					}
					r.Secrets = append(r.Secrets, v)
				}
			}
			if !r.Invalid {
				for _, col := range mapped {
					v := Value{Kind: ValueKind(rapid.IntRange(0, 3).Draw(t, "kind"))}
					if v.Kind == AsCell && col >= len(r.Cells) {
						v.Kind = Empty
					}
					switch v.Kind {
					case AsText:
						v.Text = genBytes(40).Draw(t, "text")
					case AsCell:
						v.Text = r.Cells[col]
					}
					r.Values = append(r.Values, v)
				}
			}
			rows = append(rows, r)
		}
		var b bytes.Buffer
		w, err := NewCellsWriter(&b, h)
		for i := range rows {
			if err == nil {
				err = w.Append(&rows[i])
			}
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewCellsReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, r.Header); d != "" {
			t.Fatal(d)
		}
		for i := range rows {
			got, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&rows[i], got, cmp.Transformer("bytes", func(b []byte) string { return string(b) }), equateEmpty); d != "" {
				t.Fatal(d)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("after the last row: %v, want EOF", err)
		}
	})
}

var equateEmpty = cmp.FilterValues(func(a, b any) bool {
	switch x := a.(type) {
	case []Finding:
		y, ok := b.([]Finding)
		return ok && len(x) == 0 && len(y) == 0
	case []Value:
		y, ok := b.([]Value)
		return ok && len(x) == 0 && len(y) == 0
	case [][]byte:
		y, ok := b.([][]byte)
		return ok && len(x) == 0 && len(y) == 0
	case []Candidate:
		y, ok := b.([]Candidate)
		return ok && len(x) == 0 && len(y) == 0
	}
	return false
}, cmp.Comparer(func(a, b any) bool { return true }))

func TestSidecarsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Verdict {
			v := Verdict{Relation: Relation(rapid.IntRange(1, relations).Draw(t, "relation"))}
			switch v.Relation {
			case One, Other:
				v.Contact, v.Keys = genID().Draw(t, "contact"), rapid.Uint16().Draw(t, "keys")
			case Repeat:
				v.Keys, v.First, v.FirstLine = rapid.Uint16().Draw(t, "keys"), rapid.Int64Range(0, 1e7).Draw(t, "first"), rapid.Int64Range(1, 1e8).Draw(t, "line")
			case Several:
				v.Several = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Candidate {
					return Candidate{genID().Draw(t, "contact"), rapid.Uint16().Draw(t, "keys")}
				}), 2, 4).Draw(t, "several")
			}
			return v
		}), 0, 40).Draw(t, "verdicts")
		ended := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Ended {
			return Ended{Outcome(rapid.IntRange(1, 9).Draw(t, "outcome")), genID().Draw(t, "contact"), rapid.String().Draw(t, "reason"), rapid.String().Draw(t, "detail"),
				rapid.SliceOfN(rapid.Custom(genKept), 0, 3).Draw(t, "kept"), rapid.Int64Range(0, 9).Draw(t, "line"), rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "effect")}
		}), 0, 40).Draw(t, "ended")
		var vb, eb bytes.Buffer
		vw, ew := NewVerdictsWriter(&vb), NewOutcomesWriter(&eb)
		for i := range verdicts {
			must(t, vw.Append(&verdicts[i]))
		}
		for i := range ended {
			must(t, ew.Append(&ended[i]))
		}
		must(t, vw.Close())
		must(t, ew.Close())
		vr, err := NewVerdictsReader(&vb)
		must(t, err)
		for i := range verdicts {
			got, err := vr.Next()
			must(t, err)
			if d := cmp.Diff(&verdicts[i], got, equateEmpty); d != "" {
				t.Fatal(d)
			}
		}
		if _, err := vr.Next(); err != io.EOF {
			t.Fatal(err)
		}
		er, err := NewOutcomesReader(&eb)
		must(t, err)
		for i := range ended {
			got, err := er.Next()
			must(t, err)
			if d := cmp.Diff(&ended[i], got, cmpopts.EquateEmpty()); d != "" {
				t.Fatal(d)
			}
		}
		if _, err := er.Next(); err != io.EOF {
			t.Fatal(err)
		}
	})
}

func TestFactsComeBackBeyondTheSetLimit(t *testing.T) {
	var b bytes.Buffer
	w := NewFactsWriter(&b)
	set := func(i int64) []byte {
		if i%7 == 0 {
			return nil
		}
		return []byte{'{', byte(i), byte(i >> 8), byte(i >> 16), '}'}
	}
	const rows = maxFactSets + 5000
	for i := range int64(rows) {
		must(t, w.Append(i*3, set(i), set(i/2)))
	}
	if w.Append(3, nil, nil) == nil {
		t.Error("rows out of order were taken")
	}
	must(t, w.Close())
	r, err := NewFactsReader(&b)
	must(t, err)
	for i := range int64(rows) {
		row, p, e, err := r.Next()
		must(t, err)
		if row != i*3 || !bytes.Equal(p, set(i)) || !bytes.Equal(e, set(i/2)) {
			t.Fatalf("row %d: got %d %x %x", i*3, row, p, e)
		}
	}
	if _, _, _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
}

func TestKeysComeBackAndShortenedObjectsAreErrors(t *testing.T) {
	var b bytes.Buffer
	w := NewKeysWriter(&b)
	const rows = 20_000
	key := func(i int) Keys {
		k := Keys{Line: int64(i) * 3, Mask: uint16(i * 7), Invalid: i%11 == 0}
		for n := range k.Hash {
			k.Hash[n] = [16]byte{byte(i), byte(i >> 8), byte(n)}
		}
		return k
	}
	for i := range rows {
		k := key(i)
		must(t, w.Append(&k))
	}
	must(t, w.Close())
	whole := b.Bytes()
	read := func(b []byte) (int, error) {
		r, err := NewKeysReader(bytes.NewReader(b))
		if err != nil {
			return 0, err
		}
		for n := 0; ; n++ {
			got, err := r.Next()
			if err != nil {
				return n, err
			}
			want := key(n)
			for k := range want.Hash {
				if want.Mask&(1<<k) != 0 && got.Hash[k] != want.Hash[k] || got.Mask != want.Mask || got.Line != want.Line || got.Invalid != want.Invalid {
					t.Fatalf("row %d: got %v, want %v", n, got, want)
				}
			}
		}
	}
	if n, err := read(whole); n != rows || err != io.EOF {
		t.Fatalf("whole object: %d rows, %v", n, err)
	}
	for _, cut := range []int{0, 3, 5, 100, len(whole) / 2, len(whole) - 13, len(whole) - 1} {
		if n, err := read(whole[:cut]); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("cut at %d of %d: %d rows and %v", cut, len(whole), n, err)
		}
	}
	if _, err := read(append(append([]byte(nil), whole...), 0)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestObjectsOfEarlierVersionsAreRead(t *testing.T) {
	var kb, vb bytes.Buffer
	kw, vw := NewKeysWriter(&kb), NewVerdictsWriter(&vb)
	keys := Keys{Line: 7, Mask: 0b1000_0010, Hash: [KeyCount][16]byte{1: {1}, 7: {2}}}
	verdict := Verdict{Relation: Several, Several: []Candidate{{alice, 2}, {bob, 128}}}
	must(t, kw.Append(&keys))
	must(t, vw.Append(&verdict))
	must(t, kw.Close())
	must(t, vw.Close())
	for _, v := range []byte{1, 2} {
		kb.Bytes()[4], vb.Bytes()[4] = v, v
		kr, err := NewKeysReader(bytes.NewReader(kb.Bytes()))
		must(t, err)
		k, err := kr.Next()
		must(t, err)
		if d := cmp.Diff(&keys, k); d != "" {
			t.Errorf("keys of version %d: %s", v, d)
		}
		vr, err := NewVerdictsReader(bytes.NewReader(vb.Bytes()))
		must(t, err)
		got, err := vr.Next()
		must(t, err)
		if d := cmp.Diff(&verdict, got); d != "" {
			t.Errorf("verdict of version %d: %s", v, d)
		}
	}
	for _, v := range []byte{0, 3} {
		kb.Bytes()[4] = v
		if _, err := NewKeysReader(bytes.NewReader(kb.Bytes())); !errors.Is(err, ErrFormat) {
			t.Errorf("keys of version %d: %v, want a refusal", v, err)
		}
	}
}

// The bytes of a row without keys of own fields are those that every version writes.
func TestRowsWithoutOwnKeysTakeNoMoreRoom(t *testing.T) {
	record := func(k Keys) []byte {
		w := NewKeysWriter(io.Discard)
		must(t, w.Append(&k))
		return bytes.Clone(w.f.buf)
	}
	if got, want := record(Keys{Line: 7, Mask: 2}), append([]byte{20, 0, 0, 0, 2, 0, 7}, make([]byte, 16)...); !bytes.Equal(got, want) {
		t.Errorf("one standard key: %x, want %x", got, want)
	}
	if got, want := record(Keys{Line: 7, Mask: 1 << 15}), append([]byte{21, 0, 0, 0, 0, 2, 0x80, 7}, make([]byte, 16)...); !bytes.Equal(got, want) {
		t.Errorf("one own key: %x, want %x", got, want)
	}
	w := NewVerdictsWriter(io.Discard)
	must(t, w.Append(&Verdict{Relation: One, Contact: alice, Keys: 2}))
	if got, want := w.f.buf, append(append([]byte{19, 0, 0, 0, byte(One)}, alice[:]...), 2); !bytes.Equal(got, want) {
		t.Errorf("a verdict by a standard key: %x, want %x", got, want)
	}
}

// Programs from before secret values of INVALID rows read on what has no secret columns.
func TestCellsWithoutSecretsAreOfTheOlderVersion(t *testing.T) {
	for secret, want := range map[bool]byte{false: 2, true: 3} {
		var b bytes.Buffer
		w, err := NewCellsWriter(&b, Header{Columns: []Column{{"SSN", "ssn", secret}}})
		must(t, err)
		for range 2 {
			must(t, w.Close())
			if got := b.Bytes()[4]; got != want {
				t.Errorf("secret %t: version %d, want %d", secret, got, want)
			}
			b.Reset()
			must(t, w.Reset(&b))
		}
	}
}

func FuzzReadersNeverPanic(f *testing.F) {
	var b bytes.Buffer
	w, _ := NewCellsWriter(&b, Header{Columns: []Column{{"a", "phone", false}}})
	_ = w.Append(&Cells{Line: 2, Cells: [][]byte{[]byte("x")}, Values: []Value{{Kind: AsCell}}})
	_ = w.Close()
	f.Add(bytes.Clone(b.Bytes()))
	b.Reset()
	w, _ = NewCellsWriter(&b, Header{Columns: []Column{{"a", "ssn", true}}})
	_ = w.Append(&Cells{Line: 2, Invalid: true, Cells: [][]byte{[]byte("x")}, Secrets: []Value{{Kind: AsText, Text: []byte("y")}}})
	_ = w.Close()
	f.Add(bytes.Clone(b.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 5 {
			return
		}
		for _, kind := range []byte{kindCells, kindKeys, kindVerdicts, kindFacts, kindOutcomes} {
			b = append([]byte{'C', 'M', 'R', kind, versions[kind]}, b[5:]...)
			var err error
			switch kind {
			case kindCells:
				if r, e := NewCellsReader(bytes.NewReader(b)); e == nil {
					for err == nil {
						_, err = r.Next()
					}
				}
			case kindKeys:
				if r, e := NewKeysReader(bytes.NewReader(b)); e == nil {
					for err == nil {
						_, err = r.Next()
					}
				}
			case kindVerdicts:
				if r, e := NewVerdictsReader(bytes.NewReader(b)); e == nil {
					for err == nil {
						_, err = r.Next()
					}
				}
			case kindFacts:
				if r, e := NewFactsReader(bytes.NewReader(b)); e == nil {
					for err == nil {
						_, _, _, err = r.Next()
					}
				}
			case kindOutcomes:
				if r, e := NewOutcomesReader(bytes.NewReader(b)); e == nil {
					for err == nil {
						_, err = r.Next()
					}
				}
			}
		}
	})
}

func BenchmarkCells(b *testing.B) {
	h := Header{Columns: []Column{{"id", "external_id", false}, {"name", "first_name", false}, {"mail", "email", false}, {"phone", "phone", false}, {"note", "", false}}}
	row := Cells{Line: 17, Cells: [][]byte{[]byte("C0001234"), []byte("Roberta"), []byte("Roberta.Q@example.org"), []byte("(202) 224-3441"), []byte("met at the fair in May")},
		Values: []Value{{Kind: AsCell}, {Kind: AsCell}, {Kind: AsText, Text: []byte("roberta.q@example.org")}, {Kind: AsText, Text: []byte("+12022243441")}}}
	var out bytes.Buffer
	w, _ := NewCellsWriter(&out, h)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if out.Len() > 1<<28 {
				out.Reset()
			}
			_ = w.Append(&row)
		}
	})
	out.Reset()
	w, _ = NewCellsWriter(&out, h)
	for range 100_000 {
		_ = w.Append(&row)
	}
	_ = w.Close()
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		r, _ := NewCellsReader(bytes.NewReader(out.Bytes()))
		for range b.N {
			if _, err := r.Next(); err != nil {
				r, _ = NewCellsReader(bytes.NewReader(out.Bytes()))
			}
		}
	})
}

type fataler interface{ Fatal(...any) }

func must(t fataler, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// A writer that begins again writes what a new one would.
func TestWritersBeginAgain(t *testing.T) {
	h := Header{Columns: []Column{{Heading: "Mail", Field: "email"}}}
	r := Cells{Line: 2, Cells: [][]byte{[]byte("a@example.org")}, Values: []Value{{Kind: AsCell}}}
	var first, again, keys, keysAgain bytes.Buffer
	cw, err := NewCellsWriter(&first, h)
	must(t, err)
	must(t, cw.Append(&r))
	must(t, cw.Close())
	must(t, cw.Reset(&again))
	must(t, cw.Append(&r))
	must(t, cw.Close())
	kw := NewKeysWriter(&keys)
	must(t, kw.Append(&Keys{Line: 2, Invalid: true}))
	must(t, kw.Close())
	kw.Reset(&keysAgain)
	must(t, kw.Append(&Keys{Line: 2, Invalid: true}))
	must(t, kw.Close())
	if !bytes.Equal(first.Bytes(), again.Bytes()) || !bytes.Equal(keys.Bytes(), keysAgain.Bytes()) {
		t.Errorf("%x and %x, %x and %x", first.Bytes(), again.Bytes(), keys.Bytes(), keysAgain.Bytes())
	}
}

func genKept(t *rapid.T) Kept {
	return Kept{Field: rapid.Uint16().Draw(t, "field"), Reason: rapid.String().Draw(t, "reason"), Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value"),
		Since: rapid.Int64().Draw(t, "since")}
}
